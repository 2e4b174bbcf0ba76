"""The server: bound to the loopback address, ended by Ctrl-C."""

import asyncio
import contextlib
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from types import FrameType
from typing import Final, final

import uvicorn

from byhand.errors import DataError, UsageError
from byhand.play.app import make_app
from byhand.play.connections import Connection
from byhand.play.hub import Hub
from byhand.play.keys import Keys
from byhand.play.limits import BACKLOG, END_SECONDS, HEAD_BYTES, IDLE_SECONDS
from byhand.play.session import Session

__all__ = ["bind", "serve"]

_ADDRESS: Final = "127.0.0.1"
_PORT: Final = 8765
_TRIES: Final = 32


def bind(port: int | None = None) -> socket.socket:
    """A listening socket on the loopback address, which nothing but this machine reaches.

    Args:
        port: this one and no other; 0 is any free one. None is 8765, or the next one that is free.

    Raises:
        UsageError: no port has that number, or only the machine's administrator may take it.
        DataError: the port is in use.
    """
    if port is not None and not (port == 0 or 1024 <= port <= 65535):
        raise UsageError(f"--port {port}: give one from 1024 to 65535, or 0 for any that is free")
    wanted = [port] if port is not None else range(_PORT, _PORT + _TRIES)
    for number in wanted:
        # The protocol is named, because asyncio sends small answers at once only where it sees that it is TCP.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if sys.platform == "win32":  # there, the other option would let two programs have one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # else a port is taken for a minute after its last program has ended
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_ADDRESS, number))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
        else:
            return listener
    if port is not None:
        raise DataError(f"port {port} is in use; choose another, or leave out --port")
    raise DataError(f"the ports {_PORT} to {_PORT + _TRIES - 1} are in use; --port 0 takes any that is free")


def serve(session: Session, listener: socket.socket, *, browser: bool, say: Callable[[str, int], object]) -> None:
    """Show a session until Ctrl-C or SIGTERM, and close it.

    Args:
        session: what is shown.
        listener: of ``bind``.
        browser: whether to open the page in the user's browser.
        say: told the page's address, which works once, and the port, when the page can be opened.
    """
    with contextlib.closing(session), listener:
        port = int(listener.getsockname()[1])
        keys = Keys(port)

        def opened() -> None:
            say(keys.url, port)
            if browser:  # in a thread, since some systems' openers wait for the browser's end
                threading.Thread(target=webbrowser.open, args=(keys.url,), daemon=True).start()

        server = _Server(
            uvicorn.Config(
                make_app(session, keys),
                http=Connection,
                ws="none",
                loop="asyncio",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                workers=1,
                backlog=BACKLOG,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=END_SECONDS,
                h11_max_incomplete_event_size=HEAD_BYTES,
            ),
            session.hub,
            opened,
        )
        asyncio.run(server.serve(sockets=[listener]))


@final
class _Server(uvicorn.Server):
    """uvicorn's server; Ctrl-C is the ordinary way to end it, and open event streams do not hold it up."""

    def __init__(self, config: uvicorn.Config, hub: Hub, opened: Callable[[], None]) -> None:
        super().__init__(config)
        self._hub = hub
        self._opened = opened

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End; uvicorn's own would raise the signal once more afterwards."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, and say so: from here on, Ctrl-C ends it as it should."""
        await super().startup(sockets)
        self._opened()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the event streams, then everything."""
        self._hub.close()
        await super().shutdown(sockets)
