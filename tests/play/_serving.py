"""A real server in a process of its own, with a tiny session, and a client that can say anything at all.

Run as a program, it serves until it is interrupted; an argument is JSON: caps of ``limits`` to lower.
"""

import contextlib
import importlib
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from byhand.errors import DataError, UsageError
from byhand.play.hub import Hub

PATIENCE = 60.0  # seconds; only a server that hangs uses them up


class Sketch:
    """A session that counts."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.step = 0
        self.ink_box: int | None = 20

    def state(self) -> dict[str, Any]:
        return {"mode": "train", "run": 1, "step": self.step, "data": {"shape": [28, 28], "ink_box": self.ink_box}}

    def do(self, command: dict[str, Any]) -> dict[str, Any]:
        what = command["do"]
        if what == "step":
            self.step += 1
            self.hub.publish("frame", {"step": self.step})
        elif what == "large":
            self.hub.publish("frame", {"step": self.step, "text": "x" * 100_000})
        elif what == "photographs":
            self.ink_box = None
        elif what == "full disk":
            raise DataError("the disk is full;\nmake room")
        elif what == "bug":
            raise RuntimeError("a secret")
        elif what != "look":
            raise UsageError(f"there is no {what!r}")
        return {"ok": True, "step": self.step, "listeners": self.hub.listeners}

    def weights(self) -> bytes | None:
        return None if self.ink_box is None else np.arange(7850, dtype="<f4").tobytes()

    def exported(self) -> str | None:
        return None if self.ink_box is None else "<!doctype html><title>digit</title>"

    def close(self) -> None:
        pass


class Reply(NamedTuple):
    """One answer; names of fields in lower case."""

    status: int
    fields: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Served(NamedTuple):
    """A server that runs."""

    process: subprocess.Popen[str]
    port: int
    token: str
    complaints: Path  # what it wrote to standard error

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def say(self, data: bytes, *, hurry: bool = False) -> Reply | None:
        """Send bytes as they are, and read until the server closes the connection.

        None where it closes it without an answer. With ``hurry``, once it is silent for a moment, it is told that no
        more will come, whereupon it closes.
        """
        with self.connect() as wire:
            with contextlib.suppress(OSError):  # it may refuse, and close, before it has read everything
                wire.sendall(data)
            return read(wire, hurry=hurry)

    def ask(self, method: str, target: str, fields: Mapping[str, str] | None = None, body: bytes = b"") -> Reply | None:
        """A request on a connection of its own; ``fields`` stand beside or instead of an ordinary Host."""
        return self.say(request(method, target, {"Host": self.host, "Connection": "close", **(fields or {})}, body))

    def enter(self) -> dict[str, str]:
        """What a page that was opened sends: the cookie, and the origin."""
        reply = self.ask("GET", f"/?token={self.token}")
        assert reply is not None
        assert reply.status == 200
        return {"Cookie": reply.fields["set-cookie"].split(";")[0], "Origin": f"http://{self.host}"}


def request(method: str, target: str, fields: Mapping[str, str], body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    if body and not {"content-length", "transfer-encoding"} & {name.lower() for name in fields}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def read(wire: socket.socket, *, hurry: bool = False) -> Reply | None:
    """All that comes until the connection is closed, as one answer; what follows the first answer is left out."""
    data = bytearray()
    with contextlib.suppress(ConnectionError):
        if hurry:
            wire.settimeout(0.05)
        while True:
            try:
                more = wire.recv(1 << 16)
            except TimeoutError:
                assert hurry, "the server keeps silent"
                wire.settimeout(PATIENCE)
                hurry = False
                wire.shutdown(socket.SHUT_WR)
                continue
            if not more:
                break
            data += more
    return parse(bytes(data)) if data else None


def parse(data: bytes) -> Reply:
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = rest[: int(fields["content-length"])] if "content-length" in fields else rest
    return Reply(int(first.split()[1]), fields, body)


@contextlib.contextmanager
def running(**caps: float) -> Iterator[Served]:
    """A server, ended by Ctrl-C; it must end well."""
    with tempfile.TemporaryDirectory() as folder:
        complaints = Path(folder) / "stderr"
        with complaints.open("w") as stderr:
            command = [sys.executable, "-W", "error", __file__, json.dumps(caps)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, complaints.read_text()
            opened = urlsplit(json.loads(line))
            assert opened.port is not None
            yield Served(process, opened.port, opened.query.removeprefix("token="), complaints)
            interrupt(process)
            out, _ = process.communicate(timeout=PATIENCE)
            assert (process.returncode, out) == (0, "ended\n"), complaints.read_text()
        finally:
            process.kill()
            process.communicate()


def interrupt(process: subprocess.Popen[str]) -> None:
    import signal

    process.send_signal(signal.CTRL_C_EVENT if sys.platform == "win32" else signal.SIGINT)


def main() -> None:
    from byhand.play.serve import bind, serve

    for name, value in json.loads(sys.argv[1]).items():
        for home in ("connections", "guard", "hub", "serve"):
            module = importlib.import_module(f"byhand.play.{home}")
            if hasattr(module, name):
                setattr(module, name, value)
    serve(Sketch(), bind(0), browser=False, say=lambda url, port: print(json.dumps(url), flush=True))
    print("ended", flush=True)


if __name__ == "__main__":
    main()
