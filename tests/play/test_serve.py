"""Binding, and the end: a person's Ctrl-C, a system's SIGTERM, with tabs open."""

import contextlib
import signal
import socket
import sys
from collections.abc import Iterator

import pytest

from byhand.errors import DataError, UsageError
from byhand.play.serve import bind
from tests.play._serving import PATIENCE, Served, request, running

ON_LINUX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture
def busy() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_only_this_machine_can_reach_it() -> None:
    with bind(0) as listener:
        address, port = listener.getsockname()
        assert (address, listener.family) == ("127.0.0.1", socket.AF_INET)
        assert listener.proto == socket.IPPROTO_TCP
        assert 1024 <= port <= 65535


def test_a_port_that_was_asked_for_is_taken_or_refused(busy: int) -> None:
    with pytest.raises(DataError, match=f"port {busy} is in use"):
        bind(busy)
    with bind(0) as listener:
        free = listener.getsockname()[1]
    with bind(free) as again:  # at once: the last program's end does not block it
        assert again.getsockname()[1] == free


@pytest.mark.parametrize("port", [-1, 1, 80, 1023, 65536, 10**9])
def test_no_such_port(port: int) -> None:
    with pytest.raises(UsageError, match="1024 to 65535"):
        bind(port)


def test_without_a_wish_the_next_free_port_is_taken() -> None:
    with bind() as first, bind() as second, bind() as third:
        ports = [listener.getsockname()[1] for listener in (first, second, third)]
    assert sorted(set(ports)) == ports
    assert ports[0] >= 8765


def test_when_all_are_taken_there_is_a_way_out() -> None:
    with contextlib.ExitStack() as taken, pytest.raises(DataError, match="--port 0"):  # noqa: PT012, a loop is the test
        for _ in range(33):
            taken.enter_context(bind())


def open_tabs(served: Served, number: int) -> list[socket.socket]:
    entered = served.enter()
    tabs = [served.connect() for _ in range(number)]
    for tab in tabs:
        tab.sendall(request("GET", "/events", {"Host": served.host, **entered}))
        data = tab.recv(1 << 16)
        while b"event: state" not in data:
            data += tab.recv(1 << 16)
    return tabs


def test_ctrl_c_ends_it_though_tabs_are_open() -> None:
    with running() as served:  # which ends with Ctrl-C, and looks at what is left
        tabs = [*open_tabs(served, 5), served.connect()]
        tabs[-1].sendall(b"GET / HT")
    for tab in tabs:
        while tab.recv(1 << 16):
            pass
        tab.close()
    with pytest.raises(ConnectionRefusedError):
        served.connect()


@ON_LINUX
@pytest.mark.parametrize("signals", [(signal.SIGTERM,), (signal.SIGTERM, signal.SIGINT)], ids=["once", "twice"])
def test_a_systems_way_to_end_it_is_as_clean_and_impatience_does_no_harm(signals: tuple[signal.Signals, ...]) -> None:
    with running() as served:  # which sends one more signal, to a process that has ended
        tabs = open_tabs(served, 2)
        for number in signals:
            served.process.send_signal(number)
        served.process.wait(PATIENCE)
        for tab in tabs:
            tab.close()


def test_ctrl_c_as_soon_as_the_address_is_there() -> None:
    for _ in range(5):
        with running():
            pass
