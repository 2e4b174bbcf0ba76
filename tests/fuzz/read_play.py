"""What a browser, or whoever is not one, sends to the page's server: heads, commands, pictures."""

import asyncio
import json
import math
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from byhand.data.drawing import as_mnist
from byhand.errors import DataError, UsageError
from byhand.play.answers import SECURITY
from byhand.play.commands import read_command, read_picture
from byhand.play.controls import Controls, Room
from byhand.play.guard import Guard, Rule
from byhand.play.keys import Keys
from byhand.play.limits import COMMAND_BYTES, HEAD_BYTES, HEAD_FIELDS, PICTURE_BYTES
from tests.fuzz.judge import Reader

__all__ = ["READERS"]

CAP = 64 << 20  # of what reads a message
ROOM = Room(784, 10, 60_000)

# Commands


def sound_commands() -> tuple[bytes, ...]:
    commands: tuple[dict[str, Any], ...] = (
        {"do": "step"},
        {"do": "preset", "id": "first-seed"},
        {"do": "set", "controls": {"hidden": [30, 20], "lr": 0.25, "init": "normal:0.5", "shuffle": False}},
        {"do": "set", "controls": {"batch_size": 64, "epsilon": 1e-8, "metric": "rows", "seed": 7, "speed": 100}},
        {"do": "set", "controls": {"hidden": [], "init": "zeros", "momentum": 0.9, "weight_decay": 0, "lr": None}},
    )
    return tuple(json.dumps(command).encode() for command in commands)


def check_command(folder: Path, content: bytes) -> None:
    """Read as JSON reads it, each field once; its controls are of the types and in the ranges that docs name."""
    content = content[:COMMAND_BYTES]  # the guard lets no more through
    command = read_command(content)
    right = json.loads(content.decode("utf-8"))
    assert json.dumps(command) == json.dumps(right)
    json.dumps(command, allow_nan=False)
    given = command.get("controls")
    if command["do"] != "set" or not isinstance(given, dict):
        return
    found = Controls().changed(given, ROOM)
    for name, value in given.items():
        kept = getattr(found, name)
        assert kept == (tuple(value) if name == "hidden" else value)
        assert _in_range(name, value), (name, value)


def _in_range(name: str, value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    match name:
        case "hidden":
            return len(value) <= 3 and all(isinstance(one, int) and 1 <= one <= 2048 for one in value)
        case "lr":
            return value is None or (number and 0 <= value <= 1e6)
        case "batch_size":
            return whole and 1 <= value <= ROOM.rows
        case "init":
            return value in ("zeros", "kaiming") or 0 <= float(value.removeprefix("normal:")) <= 100
        case "shuffle" | "scaled":
            return isinstance(value, bool)
        case "metric":
            return value in ("rows", "broadcast")
        case "stop_after" | "seed":
            return whole and 0 <= value < 2**53
        case _:
            return number and 0 <= value <= {"momentum": 1, "epsilon": 0.1, "speed": 1e5}.get(name, 1e6)


def long_commands() -> Iterator[bytes]:
    for start in (b"[", b'{"a":', b'{"do":"step","a":', b'[{"a":'):
        yield start * (COMMAND_BYTES // len(start))
    yield b'{"do": "step", "n": ' + b"9" * (COMMAND_BYTES - 40) + b"}"
    yield b'{"do": "step", "n": ' + b"9" * 4000 + b".5e" + b"9" * 4000 + b"}"
    yield b"{" + b",".join(b'"%d":0' % n for n in range(1500)) + b',"do":"step"}'
    yield json.dumps({"do": "set", "controls": {"hidden": [1] * 4000}}).encode()
    yield json.dumps({"do": "set", "controls": {"x" * 8000: 1}}).encode()
    yield json.dumps({"do": "set", "controls": {"init": "normal:" + "1" * 8000}}).encode()


# Pictures


def sound_picture(height: int = 12, width: int = 9) -> bytes:
    image = np.zeros((height, width), np.uint8)
    image[2:-2, 3:6] = 255
    return struct.pack("<HH", width, height) + image.tobytes()


def check_picture(folder: Path, content: bytes) -> None:
    """The pixels as they were sent; centred, they are an image of the data's size."""
    content = content[:PICTURE_BYTES]
    grey = read_picture(content)
    width, height = struct.unpack("<HH", content[:4])
    assert grey.tolist() == [list(content[4 + y * width : 4 + (y + 1) * width]) for y in range(height)]
    drawn = as_mnist(grey, 28, 20)
    assert drawn.image.shape == (28, 28)
    assert drawn.image.dtype == np.uint8
    assert drawn.image.any()
    assert all(note.isprintable() for note in drawn.notes)


def large_pictures() -> Iterator[bytes]:
    for width, height in ((512, 512), (512, 1), (1, 512), (513, 512), (65535, 65535), (0, 0)):
        for byte in (b"\0", bytes(range(256)), b"\xff"):
            size = min(width * height, 1 << 20)
            yield struct.pack("<HH", width, height) + (byte * (size // len(byte) + 1))[:size]


# Heads

_KEYS = Keys(8765)
_COOKIE = _KEYS.set_cookie.split(b";")[0]
_RULES = {b"/": Rule("GET"), b"/do": Rule("POST", b"application/json", 64), b"/events": Rule("GET")}
_HOSTS = (b"127.0.0.1:8765", b"localhost:8765", b"[::1]:8765")


def _head(method: bytes, path: bytes, *fields: bytes) -> bytes:
    lines = [method + b" " + path + b" HTTP/1.1", b"host: " + _HOSTS[0], b"cookie: KEY", *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


SOUND_HEADS = (
    _head(b"GET", b"/", b"sec-fetch-site: none"),
    _head(b"GET", b"/events", b"sec-fetch-site: same-origin", b"origin: http://" + _HOSTS[0]),
    _head(b"POST", b"/do", b"origin: http://" + _HOSTS[0], b"content-type: application/json", b"content-length: 14")
    + b'{"do": "step"}',
)


def parsed(content: bytes) -> tuple[dict[str, Any], bytes]:
    """A request as ASGI hands it on, by splitting alone: laxer than any parser of HTTP, so that more gets through."""
    head, _, body = content.replace(b"KEY", _COOKIE).partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, path, version = (*first.split(b" "), b"", b"", b"")[:3]
    pairs = [(name.strip().lower(), value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)]
    path, _, query = path.partition(b"?")
    scope = {"type": "http", "method": method.decode("latin-1"), "raw_path": path, "query_string": query}
    return scope | {"http_version": version.removeprefix(b"HTTP/").decode("latin-1"), "headers": pairs}, body


def allowed(scope: dict[str, Any], body: bytes) -> bool:
    """Whether a request may pass, by the docs alone."""
    fields: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        fields.setdefault(name, []).append(value)
    host, sites = fields.get(b"host", []), fields.get(b"sec-fetch-site", [])
    rule = _RULES.get(scope["raw_path"])
    cookies = [one.strip(b" \t") for value in fields.get(b"cookie", []) for one in value.split(b";")]
    lengths = fields.get(b"content-length", [])
    size = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    size += len(scope["method"]) + len(scope["raw_path"]) + len(scope["query_string"])
    opening = scope["raw_path"] == b"/" and scope["method"] == "GET"
    return (
        rule is not None
        and scope["method"] == rule.method
        and scope["http_version"] in ("1.0", "1.1")
        and size <= HEAD_BYTES
        and len(scope["headers"]) <= HEAD_FIELDS
        and len(host) == 1
        and host[0] in _HOSTS
        and fields.get(b"origin", []) in ([], [b"http://" + host[0]])
        and (rule.method != "POST" or b"origin" in fields)
        and sites in ([], [b"same-origin"], *([[b"none"]] if opening else []))
        and _COOKIE in cookies
        and (not scope["query_string"] or (opening and scope["query_string"].startswith(b"token=")))
        and (not lengths or (len(lengths) == 1 and b"transfer-encoding" not in fields))
        and all(
            re.fullmatch(rb"[0-9]+", length) and len(length) <= 20 and int(length) <= rule.most for length in lengths
        )
        and (rule.body_type is None or fields.get(b"content-type", []) == [rule.body_type])
        and len(body) <= rule.most
    )


def check_head(folder: Path, content: bytes) -> None:
    """What passes is what may pass; the rest is refused by a status of 400 to 499 and a line."""
    scope, body = parsed(content)
    passed: list[Any] = []
    sent: list[Any] = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        passed.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Guard(behind, _RULES, _KEYS)(scope, receive, send))
    assert passed == ([body] if allowed(scope, body) else []), "let through" if passed else "kept out"
    assert sent[0]["headers"][: len(SECURITY)] or sent[0]["status"] == 200
    names = {name for name, _ in sent[0]["headers"]}
    assert {name for name, _ in SECURITY} <= names
    if passed:
        assert sent[0]["status"] == 200
        return
    assert 400 <= sent[0]["status"] < 500
    text = sent[1]["body"].decode("ascii")
    assert text.endswith("\n")
    raise (DataError if sent[0]["status"] == 403 else UsageError)(f"{sent[0]['status']}: {text[:-1]}")


def long_heads() -> Iterator[bytes]:
    yield _head(b"GET", b"/", b"a: " + b"b" * (1 << 20))
    yield _head(b"GET", b"/", *[b"a: b"] * 100_000)
    yield _head(b"GET", b"/" * (1 << 20))
    yield _head(b"GET", b"/", b"cookie: " + b";" * 8000)
    yield _head(b"POST", b"/do", b"origin: http://" + _HOSTS[0], b"content-type: application/json") + bytes(1 << 24)
    for length in (b"1" * 6000, b"-1", b"1_0", b"\xd9\xa3", b"+3", b"0x3", b"", b" 3", b"3, 3"):
        yield _head(
            b"POST",
            b"/do",
            b"origin: http://" + _HOSTS[0],
            b"content-type: application/json",
            b"content-length: " + length,
        )


_FIELDS = (b"host: ", b"origin: null\r\n", b"sec-fetch-site: cross-site\r\n", b"transfer-encoding: chunked\r\n", b"KEY")
_FIELDS += (
    b"HTTP/1.0",
    b"HTTP/2",
    b"?token=",
    b"?",
    b"%2e",
    b"..",
    b"//",
    b"\r\n",
    b"\n",
    b"\0",
    b"localhost:8765",
    b"[::1]:8765",
)
_FIELDS += (b"OPTIONS", b"HEAD", b"/do", b"/events", b"content-length: 3\r\n", b"cookie: ;KEY;\r\n", b"\t", b" ")
_NAMES = tuple(f'"{name}"'.encode() for name in (*Controls.__slots__, "do", "set", "controls", "id"))
_VALUES = (
    b"true",
    b"null",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"-0.0",
    b"9007199254740993",
    b'"normal:1e-9"',
    b'"\\ud800"',
    b"[[",
    b"{}",
)

READERS = (
    Reader("command", sound_commands(), check_command, CAP, 0, (*_NAMES, *_VALUES), False, bombs=long_commands),
    Reader(
        "picture-body", (sound_picture(), sound_picture(30, 20)), check_picture, CAP, 4, (), False, bombs=large_pictures
    ),
    Reader("head", SOUND_HEADS, check_head, CAP, 0, _FIELDS, False, bombs=long_heads),
)
