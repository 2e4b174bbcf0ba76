"""The routes as a page meets them: real requests to a real server."""

import base64
import json
import struct
from collections.abc import Iterator

import numpy as np
import pytest

from byhand.data.drawing import as_mnist
from byhand.play.answers import SECURITY
from byhand.play.app import make_app
from byhand.play.keys import Keys
from byhand.play.limits import PICTURE_SIDE
from tests.play._serving import Reply, Served, Sketch, running


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with running() as served:
        yield served
        assert served.complaints.read_text() == ""


@pytest.fixture(scope="module")
def entered(served: Served) -> dict[str, str]:
    return served.enter()


def get(served: Served, target: str, entered: dict[str, str]) -> Reply:
    reply = served.ask("GET", target, entered)
    assert reply is not None
    return reply


def do(served: Served, command: object, entered: dict[str, str]) -> Reply:
    body = command if isinstance(command, bytes) else json.dumps(command).encode()
    reply = served.ask("POST", "/do", {**entered, "Content-Type": "application/json"}, body)
    assert reply is not None
    return reply


def picture(served: Served, body: bytes, entered: dict[str, str]) -> Reply:
    reply = served.ask("POST", "/picture", {**entered, "Content-Type": "application/octet-stream"}, body)
    assert reply is not None
    return reply


def test_every_file_of_the_page_is_there_with_its_type(served: Served, entered: dict[str, str]) -> None:
    table = make_app(Sketch(), Keys(1)).rules
    live = {b"/events", b"/weights", b"/do", b"/picture", b"/digit.html"}
    types = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
    assert {b"/", b"/main.js", b"/style.css"} <= table.keys() - live
    for path in table.keys() - live:
        reply = get(served, path.decode(), entered)
        assert reply.status == 200
        assert reply.body
        ending = path.decode().rpartition(".")[2]
        assert reply.fields["content-type"] == types.get(ending, "text/html; charset=utf-8" if path == b"/" else None)
    assert get(served, "/index.html", entered).status == 404


def test_every_answer_is_guarded(served: Served, entered: dict[str, str]) -> None:
    for target, status in (("/", 200), ("/main.js", 200), ("/weights", 200), ("/nothing", 404)):
        reply = get(served, target, entered)
        assert reply.status == status
        assert {name.decode(): value.decode() for name, value in SECURITY}.items() <= reply.fields.items()
        assert "server" not in reply.fields


def test_a_command_goes_to_the_session_and_its_answer_comes_back(served: Served, entered: dict[str, str]) -> None:
    before = do(served, {"do": "look"}, entered).json()["step"]
    reply = do(served, {"do": "step"}, entered)
    assert (reply.status, reply.fields["content-type"]) == (200, "application/json")
    assert reply.json() == {"ok": True, "step": before + 1, "listeners": 0}


def test_what_a_session_refuses_is_one_line(served: Served, entered: dict[str, str]) -> None:
    reply = do(served, {"do": "no\nsuch"}, entered)
    assert (reply.status, reply.json()) == (400, {"error": "there is no 'no\\nsuch'"})
    reply = do(served, {"do": "full disk"}, entered)
    assert (reply.status, reply.json()) == (422, {"error": "the disk is full;\\nmake room"})


@pytest.mark.parametrize(
    "command",
    [
        b"",
        b"play",
        b"{",
        b"\xff\xfe",
        b'{"do": "step",}',
        b'{"do": "step"} {"do": "step"}',
        b'["do", "step"]',
        b'"do"',
        b"null",
        b"{}",
        b'{"do": null}',
        b'{"do": 1}',
        b'{"do": ["step"]}',
        b'{"do": "step", "do": "step"}',
        b'{"do": "step", "n": NaN}',
        b'{"do": "step", "n": -Infinity}',
        b'{"do": "step", "n": 1e999}',
        b'{"do": "step", "n": 9007199254740993}',
        b'{"do": "step", "n": -' + b"9" * 5000 + b"}",
        b'{"do": "step", "n": ' + b"[" * 8000 + b"]" * 8000 + b"}",
        b'{"do": "step", "n": ' + b'{"a":' * 3000,
        b'{"do": "__class__"}',
        b'{"do": "\\ud800"}',
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
def test_a_broken_command_is_refused_in_one_line(served: Served, entered: dict[str, str], command: bytes) -> None:
    reply = do(served, command, entered)
    assert reply.status == 400
    assert reply.fields["content-type"] == "application/json"
    assert reply.json()["error"].isprintable()


def test_weights_come_with_the_run_and_the_step(served: Served, entered: dict[str, str]) -> None:
    reply = get(served, "/weights", entered)
    np.testing.assert_array_equal(np.frombuffer(reply.body, "<f4"), np.arange(7850))
    step = do(served, {"do": "look"}, entered).json()["step"]
    assert (reply.fields["x-byhand-run"], reply.fields["x-byhand-step"]) == ("1", str(step))


def test_a_picture_is_made_as_mnist_was(served: Served, entered: dict[str, str]) -> None:
    grey = np.zeros((60, 90), np.uint8)
    grey[10:50, 30:36] = 255
    reply = picture(served, struct.pack("<HH", 90, 60) + grey.tobytes(), entered)
    wanted = as_mnist(grey)
    assert reply.status == 200
    assert reply.json()["notes"] == list(wanted.notes)
    image = np.frombuffer(base64.b64decode(reply.json()["image"]), np.uint8)
    np.testing.assert_array_equal(image.reshape(28, 28), wanted.image)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\1", 400),
        (struct.pack("<HH", 0, 0), 400),
        (struct.pack("<HH", 4, 0), 400),
        (struct.pack("<HH", PICTURE_SIDE + 1, 1) + bytes(PICTURE_SIDE + 1), 400),
        (struct.pack("<HH", 4, 4) + bytes(15), 400),
        (struct.pack("<HH", 4, 4) + bytes(17), 400),
        (struct.pack("<HH", 65535, 65535), 400),
        (struct.pack("<HH", 8, 8) + bytes(64), 422),  # blank
        (struct.pack("<HH", 1, 1) + b"\xff", 422),
    ],
    ids=range(10),
)
def test_no_picture_is_refused_in_one_line(served: Served, entered: dict[str, str], body: bytes, status: int) -> None:
    reply = picture(served, body, entered)
    assert reply.status == status
    assert reply.json()["error"].isprintable()


def test_the_exported_page_is_a_file_to_keep_and_not_to_run_here(served: Served, entered: dict[str, str]) -> None:
    reply = get(served, "/digit.html", entered)
    assert reply.body == b"<!doctype html><title>digit</title>"
    assert reply.fields["content-disposition"] == 'attachment; filename="digit.html"'
    assert reply.fields["content-security-policy"] == "sandbox; default-src 'none'"


def test_a_session_without_weights_or_black_ground_says_so() -> None:
    with running() as served:
        entered = served.enter()
        assert do(served, {"do": "photographs"}, entered).status == 200
        for target in ("/weights", "/digit.html"):
            reply = get(served, target, entered)
            assert reply.status == 422
            assert "no weights" in reply.json()["error"]
        reply = picture(served, struct.pack("<HH", 4, 4) + bytes(8) + b"\xff" * 8, entered)
        assert reply.status == 400
        assert "black ground" in reply.json()["error"]


def test_a_bug_is_shown_in_the_terminal_and_to_nobody_else() -> None:
    with running() as served:
        reply = do(served, {"do": "bug"}, served.enter())
        assert reply.status == 500
        assert b"secret" not in reply.body
        assert "RuntimeError: a secret" in served.complaints.read_text()
