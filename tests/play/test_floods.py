"""Clients that are slow, many, or go on for ever: each is let go in time, and the server's memory stays as it is."""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from byhand.play.limits import COMMAND_BYTES, CONNECTIONS, HEAD_BYTES, STREAMS
from tests.play._serving import PATIENCE, Reply, Served, parse, read, request, running

resource: Any = pytest.importorskip("resource", reason="needs a POSIX system's limits")

on_linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs the memory of a process in /proc")
MEGABYTE = 1 << 20


@pytest.fixture
def served() -> Iterator[Served]:
    """A server of one's own, with less patience than in earnest."""
    with running(BODY_SECONDS=1.0, HEAD_SECONDS=1.0, IDLE_SECONDS=1, WRITE_SECONDS=1.0) as served:
        yield served
        assert served.complaints.read_text() == ""


def resident(served: Served) -> int:
    """Bytes of memory that the server holds."""
    pages = Path(f"/proc/{served.process.pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def look(served: Served, entered: dict[str, str], what: str = "look") -> dict[str, int]:
    fields = {**entered, "Content-Type": "application/json"}
    reply = served.ask("POST", "/do", fields, json.dumps({"do": what}).encode())
    assert reply is not None
    assert reply.status == 200
    return reply.json()


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def drip(wire: socket.socket, first: bytes, more: bytes) -> Reply | None:
    """Send the first, then the rest again and again, a little at a time, until the server has had enough."""
    ended = threading.Event()

    def send() -> None:
        with contextlib.suppress(OSError):
            wire.sendall(first)
            while more and not ended.wait(0.05):
                wire.sendall(more)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        return read(wire)
    finally:
        ended.set()
        sender.join(PATIENCE)


def test_whoever_is_slow_is_let_go(served: Served) -> None:
    entered = served.enter()
    host = {"Host": served.host}
    page = request("GET", "/", {**host, **entered})
    post = {**host, **entered, "Content-Type": "application/json"}
    announced = request("POST", "/do", {**post, "Content-Length": str(COMMAND_BYTES)})
    chunked = request("POST", "/do", {**post, "Transfer-Encoding": "chunked"})
    slow: dict[str, tuple[bytes, bytes, int | None]] = {
        "says nothing": (b"", b"", None),
        "empty lines": (b"", b"\r\n", 400),
        "a line without end": (b"G", b"G", 408),
        "a field now and then": (b"GET / HTTP/1.1\r\n", b"a: b\r\n", 408),
        "no end of the head": (page[:-2], b"", 408),
        "no body": (announced, b"", 408),
        "a byte now and then": (announced, b" ", 408),
        "a chunk now and then": (chunked, b"1\r\n \r\n", 408),
        "a chunk without end": (chunked + b"ffff\r\n", b" ", 408),
        "stays after an answer": (page, b"", 200),
        "a second one that is slow": (page + page[:-2], b"", 200),
        "a second one, byte by byte": (page, b"G", 200),
    }
    with ThreadPoolExecutor(len(slow)) as pool, contextlib.ExitStack() as wires:
        replies = {
            name: pool.submit(drip, wires.enter_context(served.connect()), first, more)
            for name, (first, more, _) in slow.items()
        }
        for name, (_, _, status) in slow.items():
            reply = replies[name].result()
            assert (reply and reply.status) == status or (reply is None and status == 408), name
    assert look(served, entered)["ok"]


def test_there_are_only_so_many_connections(served: Served) -> None:
    entered = served.enter()
    with contextlib.ExitStack() as wires:
        held = [wires.enter_context(served.connect()) for _ in range(CONNECTIONS)]
        for wire in held:  # each is open at the server when its first answer is there
            wire.sendall(request("GET", "/main.js", {"Host": served.host, **entered}))
        for wire in held:
            assert wire.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
            wire.sendall(b"GET")
        with served.connect() as wire:
            reply = read(wire)
        assert reply is not None
        assert reply.status == 429
    wait_until(lambda: served.ask("GET", "/main.js", entered).status == 200)  # type: ignore[union-attr]


def test_there_are_only_so_many_event_streams_and_a_closed_tab_makes_room(served: Served) -> None:
    entered = served.enter()
    asked = request("GET", "/events", {"Host": served.host, **entered})
    with contextlib.ExitStack() as wires:
        for _ in range(STREAMS):
            wire = wires.enter_context(served.connect())
            wire.sendall(asked)
            assert wire.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        assert look(served, entered)["listeners"] == STREAMS
        reply = served.ask("GET", "/events", entered)
        assert reply is not None
        assert (reply.status, "close one" in reply.json()["error"]) == (429, True)
    wait_until(lambda: look(served, entered)["listeners"] == 0)
    with served.connect() as wire:
        wire.sendall(asked)
        assert wire.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def test_all_tabs_at_once_get_no_more_streams_than_there_are(served: Served) -> None:
    entered = served.enter()
    with contextlib.ExitStack() as wires:
        held = [wires.enter_context(served.connect()) for _ in range(CONNECTIONS - 2)]
        for wire in held:
            wire.sendall(request("GET", "/events", {"Host": served.host, **entered}))
        statuses = [parse(wire.recv(1 << 16)).status for wire in held]
        assert (statuses.count(200), statuses.count(429)) == (STREAMS, len(held) - STREAMS)


@on_linux
def test_a_tab_that_reads_nothing_costs_nothing_and_is_dropped(served: Served) -> None:
    entered = served.enter()
    with served.connect() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(request("GET", "/events", {"Host": served.host, **entered}))
        wait_until(lambda: look(served, entered)["listeners"] == 1)
        for _ in range(50):
            look(served, entered, "large")
        before = resident(served)
        for _ in range(200):  # 20 MB
            look(served, entered, "large")
        assert resident(served) - before < 5 * MEGABYTE
        wait_until(lambda: look(served, entered, "large")["listeners"] == 0)
    assert look(served, entered)["ok"]


@on_linux
def test_an_answer_that_nobody_reads_is_dropped(served: Served) -> None:
    entered = served.enter()
    asked = request("GET", "/weights", {"Host": served.host, **entered})  # 31 kB each
    with contextlib.ExitStack() as wires:
        for _ in range(CONNECTIONS - 4):
            wire = socket.socket()
            wires.callback(wire.close)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            wire.settimeout(PATIENCE)
            wire.connect(("127.0.0.1", served.port))
            with contextlib.suppress(OSError):
                wire.sendall(asked * 100)
        wait_until(lambda: room(served, entered))
    assert resident(served) < 500 * MEGABYTE


def room(served: Served, entered: dict[str, str]) -> bool:
    """Whether nearly all places are free again."""
    with contextlib.ExitStack() as wires:
        for _ in range(CONNECTIONS - 4):
            wire = wires.enter_context(served.connect())
            try:
                wire.sendall(request("GET", "/main.js", {"Host": served.host, **entered}))
                if not wire.recv(1 << 16).startswith(b"HTTP/1.1 200 "):
                    return False
            except ConnectionError:
                return False
    return True


def flood(served: Served, number: int) -> dict[int | None, int]:
    """So many connections at once, each with half a request; what became of them."""
    counts: dict[int | None, int] = {}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, number + 500)), hard))
    try:
        with contextlib.ExitStack() as wires:
            held: list[socket.socket] = []
            for _ in range(min(number, max(soft, hard) - 200)):
                wire = wires.enter_context(socket.socket())
                wire.setblocking(False)
                wire.connect_ex(("127.0.0.1", served.port))
                held.append(wire)
            end = time.monotonic() + 15
            for wire in held:  # which the system let wait, it may let wait for a minute
                wire.settimeout(max(0.01, end - time.monotonic()))
                data = b""
                with contextlib.suppress(OSError):
                    wire.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
                with contextlib.suppress(OSError):
                    data = wire.recv(1 << 16)
                status = parse(data).status if data else None
                counts[status] = counts.get(status, 0) + 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return counts


@on_linux
def test_two_thousand_connections_at_once(served: Served) -> None:
    entered = served.enter()
    flood(served, 300)
    before = resident(served)
    counts = flood(served, 2000)
    assert counts.keys() <= {408, 429, None}
    assert sum(counts.values()) >= 300
    assert look(served, entered)["ok"]
    assert resident(served) - before < 20 * MEGABYTE


def mixed(served: Served, entered: dict[str, str]) -> list[tuple[bytes, int]]:
    """Requests of every kind that leave the connection open, and what each is answered with."""
    host = {"Host": served.host}
    fields, post = {**host, **entered}, {**host, **entered, "Content-Type": "application/json"}
    grey = struct.pack("<HH", 40, 40) + bytes(1600)
    deep = b'{"do": "step", "n": ' + b"[" * 2000 + b"]" * 2000 + b"}"
    return [
        (request("GET", "/", fields), 200),
        (request("GET", "/main.js", fields), 200),
        (request("GET", "/weights", fields), 200),
        (request("GET", "/digit.html", fields), 200),
        (request("POST", "/do", post, b'{"do": "step"}'), 200),
        (request("POST", "/do", post, b'{"do": "nothing of the kind"}'), 400),
        (request("POST", "/do", post, deep), 400),
        (request("POST", "/do", post, b"\xff" * 2000), 400),
        (request("POST", "/picture", {**post, "Content-Type": "application/octet-stream"}, grey), 422),
        (request("GET", "/../../etc/passwd", fields), 404),
        (request("GET", "/%2e%2e%2f" + "a" * 3000, fields), 404),
        (request("GET", "/main.js?x", fields), 400),
        (request("DELETE", "/do", fields), 405),
        (request("GET", "/weights", {**fields, "Host": "evil.example"}), 403),
        (request("GET", "/weights", {**fields, "Origin": "null"}), 403),
        (request("GET", "/?token=" + "x" * 43, host), 403),
        (request("GET", "/", {**host, "Cookie": "a=b; " * 500}), 403),
        (request("GET", "/", {**fields, **{f"X-{i}": "x" for i in range(70)}}), 431),
        (request("GET", "/", {**fields, "X-Long": "x" * (HEAD_BYTES - 600)}), 200),
    ]


def answer(wire: socket.socket, data: bytearray) -> int:
    """The next answer's status on a connection that stays open; ``data`` is what was read beyond."""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += wire.recv(1 << 16)
    head = bytes(data[:end]).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(data) < end + 4 + length:
        data += wire.recv(1 << 16)
    del data[: end + 4 + length]
    return int(head[9:12])


def soak(served: Served, entered: dict[str, str], number: int) -> None:
    """So many requests on eight connections at a time, each with the answer that is its due."""
    kinds = mixed(served, entered)

    def some(start: int) -> None:
        with served.connect() as wire:
            data = bytearray()
            for i in range(start, start + number // 8):
                sent, status = kinds[i % len(kinds)]
                wire.sendall(sent)
                assert answer(wire, data) == status, sent[:80]

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(some, start) for start in range(8)]:
            done.result()


@on_linux
@pytest.mark.parametrize(
    ("warm", "number"), [(3_000, 5_000), pytest.param(20_000, 100_000, marks=pytest.mark.full)], ids=["quick", "full"]
)
def test_memory_stays_as_it_is(warm: int, number: int) -> None:
    with running() as served:
        entered = served.enter()
        soak(served, entered, warm)
        before = resident(served)
        soak(served, entered, number)
        after = resident(served)
        assert after < 1.05 * before
        assert look(served, entered)["ok"]
        assert served.complaints.read_text() == ""
