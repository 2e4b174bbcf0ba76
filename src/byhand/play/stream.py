"""An event stream to one tab, from its first event until the tab or the server goes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import final

from starlette.types import Receive, Scope, Send

__all__ = ["Stream"]


@final
class Stream:
    """An ASGI answer that sends texts as they come.

    Args:
        texts: closed as soon as the tab is gone, so that the hub no longer counts it.
        places: one is taken as long as the stream is open; there must be a free one.
    """

    def __init__(self, texts: AsyncGenerator[str, None], places: asyncio.Semaphore) -> None:
        self._texts = texts
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until there is no more, or nobody reads it."""
        async with self._places, aclosing(self._texts) as texts:
            sending = asyncio.create_task(_send_all(texts, send))
            going = asyncio.create_task(_gone(receive))
            try:
                await asyncio.wait({sending, going}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                going.cancel()
                if not sending.done():
                    sending.cancel()
                await asyncio.wait({sending, going})
            if not sending.cancelled():
                sending.result()  # a bug in making the texts is not hidden


async def _send_all(texts: AsyncGenerator[str, None], send: Send) -> None:
    started = False
    async for text in texts:
        if not started:
            fields = [(b"content-type", b"text/event-stream; charset=utf-8")]
            await send({"type": "http.response.start", "status": 200, "headers": fields})
            started = True
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
