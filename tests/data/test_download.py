import hashlib
import os
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from byhand.data.download import fetch
from byhand.errors import DataError

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA = hashlib.sha256(CONTENT).hexdigest()
FILES = [("a.gz", len(CONTENT), SHA)]


class Handler(BaseHTTPRequestHandler):
    """A mirror that behaves as its first path component says; ``server.seen`` lists (path, Range header)."""

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.seen.append((self.path, asked))
        kind = self.path.split("/")[1]
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and kind != "noranges" else 0
        body = CONTENT
        if kind == "absent":
            self.send_error(404)
            return
        if kind == "corrupt":
            body = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
        if kind == "endless":
            body = CONTENT * 3
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        stop = {"cut": start + 100_000, "stuck": 50_000}.get(kind, len(body))
        self.wfile.write(body[start:stop])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def mirrors(server, *kinds):
    return [f"http://127.0.0.1:{server.server_port}/{kind}/" for kind in kinds]


@contextmanager
def refused(words=()):
    with pytest.raises(DataError) as error:
        yield
    text = str(error.value)
    assert text.startswith("thing: cannot be downloaded (127.0.0.1")
    assert "\n" not in text
    for word in ("by hand", "$BYHAND_DATA", "digits", *words):
        assert word in text


def test_a_good_mirror_gives_the_file_and_leaves_nothing_else(server, tmp_path):
    fetch("thing", FILES, mirrors(server, "good"), tmp_path / "deep" / "er")
    assert (tmp_path / "deep" / "er" / "a.gz").read_bytes() == CONTENT
    assert os.listdir(tmp_path / "deep" / "er") == ["a.gz"]
    fetch("thing", FILES, mirrors(server, "good"), tmp_path / "deep" / "er")
    assert len(server.seen) == 1, "what is there and right is not fetched again"


def test_a_transfer_that_breaks_off_is_continued(server, tmp_path):
    fetch("thing", FILES, mirrors(server, "cut"), tmp_path)
    assert (tmp_path / "a.gz").read_bytes() == CONTENT
    assert [asked for _, asked in server.seen] == [None, "bytes=100000-", "bytes=200000-"]


def test_what_an_earlier_run_left_is_continued(server, tmp_path):
    (tmp_path / "a.gz.part").write_bytes(CONTENT[:1234])
    fetch("thing", FILES, mirrors(server, "good"), tmp_path)
    assert (tmp_path / "a.gz").read_bytes() == CONTENT
    assert server.seen == [("/good/a.gz", "bytes=1234-")]
    assert os.listdir(tmp_path) == ["a.gz"]


def test_a_whole_part_is_not_fetched_at_all(server, tmp_path):
    (tmp_path / "a.gz.part").write_bytes(CONTENT)
    fetch("thing", FILES, mirrors(server, "good"), tmp_path)
    assert (tmp_path / "a.gz").read_bytes() == CONTENT
    assert server.seen == []


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * 400_000])
def test_a_wrong_part_is_thrown_away_and_the_file_fetched_anew(server, tmp_path, left):
    (tmp_path / "a.gz.part").write_bytes(left)
    fetch("thing", FILES, mirrors(server, "good"), tmp_path)
    assert (tmp_path / "a.gz").read_bytes() == CONTENT
    assert os.listdir(tmp_path) == ["a.gz"]


def test_a_server_without_ranges_starts_again(server, tmp_path):
    (tmp_path / "a.gz.part").write_bytes(CONTENT[:1234])
    fetch("thing", FILES, mirrors(server, "noranges"), tmp_path)
    assert (tmp_path / "a.gz").read_bytes() == CONTENT


def test_the_next_mirror_continues_what_a_dead_one_began(server, tmp_path):
    fetch("thing", FILES, mirrors(server, "stuck", "good"), tmp_path)
    assert (tmp_path / "a.gz").read_bytes() == CONTENT
    assert server.seen[-1] == ("/good/a.gz", "bytes=50000-")


def test_mirrors_are_tried_in_turn(server, tmp_path):
    with socket.socket() as taken:  # bound, but nobody listens: connections are refused
        taken.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        fetch("thing", FILES, [dead, *mirrors(server, "absent", "corrupt", "good", "never")], tmp_path)
    assert (tmp_path / "a.gz").read_bytes() == CONTENT
    assert [path for path, _ in server.seen] == ["/absent/a.gz", "/corrupt/a.gz", "/good/a.gz"]


def test_an_old_copy_with_the_wrong_content_is_replaced(server, tmp_path):
    (tmp_path / "a.gz").write_bytes(b"old")
    fetch("thing", FILES, mirrors(server, "good"), tmp_path)
    assert (tmp_path / "a.gz").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("absent", "HTTP 404"),
        ("corrupt", "the file is not the published one"),
        ("endless", "more than the 300,000 bytes"),
        ("stuck", "ended after 50,000 of 300,000 bytes"),
    ],
)
def test_when_no_mirror_will_do_the_reason_is_one_line_and_nothing_passes_for_the_file(server, tmp_path, kind, says):
    with refused([says]):
        fetch("thing", FILES, mirrors(server, kind), tmp_path)
    assert os.listdir(tmp_path) == (["a.gz.part"] if kind == "stuck" else [])


def test_a_silent_mirror_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent, refused(["timed out"]):
        fetch("thing", FILES, [f"http://127.0.0.1:{silent.getsockname()[1]}/"], tmp_path, timeout=0.2)


def test_no_mirror_listens(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with refused(["refused"]):
        fetch("thing", FILES, ["http://127.0.0.1:9/"], tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_one_line(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"file.*; ") as error:
        fetch("thing", FILES, mirrors(server, "good"), tmp_path / "file" / "below")
    assert "\n" not in str(error.value)
    assert server.seen == []


def test_nothing_is_shown_outside_a_terminal(server, tmp_path, capfd):
    fetch("thing", FILES, mirrors(server, "good"), tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("quiet", [True, False])
def test_a_terminal_sees_the_progress_on_standard_error(server, tmp_path, quiet):
    import pty
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from byhand.data.download import fetch;"
        f"fetch('thing', {FILES!r}, {mirrors(server, 'good')!r}, Path(sys.argv[1]), {quiet})"
    )
    master, slave = pty.openpty()
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], stderr=slave, stdout=subprocess.PIPE, check=True)
    os.close(slave)
    os.set_blocking(master, False)
    try:
        seen = os.read(master, 100_000)
    except (BlockingIOError, OSError):
        seen = b""
    os.close(master)
    assert done.stdout == b""
    assert (b"fetching thing" in seen) is not quiet
    assert (tmp_path / "a.gz").read_bytes() == CONTENT
