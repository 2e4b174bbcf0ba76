"""uvicorn's HTTP connection with caps: on their number, on the time for a request's head, and for reading an answer."""

import asyncio
from typing import Any, final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from byhand.play.answers import raw_refusal
from byhand.play.limits import CONNECTIONS, HEAD_SECONDS, WRITE_SECONDS

__all__ = ["Connection"]


@final
class Connection(H11Protocol):
    """One connection. What uvicorn leaves without a limit has one here.

    The buffer for what a client has not read is "full" as soon as it holds a byte, so that an answer waits for the
    client before it goes on; and a client that makes it wait too long is cut off, also where the connection is closed
    already and only its last bytes are left.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._heard = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or refuse it where there are too many."""
        if len(self.connections) >= CONNECTIONS:
            self.transport = transport
            self._refuse(429, f"there are {CONNECTIONS} connections already; close a tab")
            return
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)
        self._watch_head(begun=True)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._heard = True
        super().data_received(data)
        self._watch_head(begun=True)

    def on_response_complete(self) -> None:
        """Begin the next request; uvicorn closes the connection if none comes."""
        super().on_response_complete()
        self._watch_head(begun=False)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, with the fields of every other answer."""
        if self.cycle:
            self.cycle.disconnected = True  # whatever is being answered has nobody to go to
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._refuse(400, "that is no HTTP request")
        else:
            self.transport.abort()

    def pause_writing(self) -> None:
        """The client leaves something unread."""
        super().pause_writing()
        self._unread = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read it all."""
        super().resume_writing()
        self._unread = _stopped(self._unread)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._head = _stopped(self._head)
        self._unread = _stopped(self._unread)
        super().connection_lost(exc)

    def _watch_head(self, *, begun: bool) -> None:
        """Let the clock run while the head of a request is on its way, and only then."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._head = _stopped(self._head)
        elif self._head is None and begun:
            self._head = self.loop.call_later(HEAD_SECONDS, self._late)

    def _late(self) -> None:
        self._head = None
        if self._heard:
            self._refuse(408, "the request did not come in time")
        else:  # browsers open connections in advance, and take an answer on one for an answer to their next request
            self.transport.close()

    def _refuse(self, status: int, text: str) -> None:
        if not self.transport.is_closing():
            self.transport.write(raw_refusal(status, text))
            self.transport.close()


def _stopped(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
