"""From any thread to every open tab. What is new counts: a tab that reads slowly gets the newest of each kind."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, final

from byhand.json_text import json_text
from byhand.play.limits import HEARTBEAT_SECONDS

__all__ = ["Hub"]

_HEARTBEAT = ": \n\n"  # a comment in the language of event streams


@final
class Hub:
    """Publishes events to the tabs that listen.

    For each tab it keeps at most one unsent event of each kind, the newest, in the order in which these came. So a slow
    tab costs a fixed amount of memory and never holds up whoever publishes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tabs: set[_Tab] = set()
        self._closed = False

    @property
    def listeners(self) -> int:
        """The number of tabs that listen."""
        return len(self._tabs)

    def publish(self, event: str, data: Mapping[str, Any]) -> None:
        """Hand an event to every tab; from any thread, without waiting for any of them.

        Args:
            event: its kind: a word.
            data: what ``json_text`` takes. It is made text once, and not at all while no tab listens.
        """
        if not self._tabs:
            return
        text = _text(event, data)
        with self._lock:
            for tab in self._tabs:
                tab.put(event, text)

    async def listen(self, state: Callable[[], Mapping[str, Any]]) -> AsyncGenerator[str, None]:
        """The event stream of one tab, as texts to send, until the hub is closed.

        The first is a ``state`` event. The tab listens from before ``state`` is called, so that nothing falls between.

        Args:
            state: gives everything that a new tab needs; called in a thread.
        """
        tab = _Tab()
        with self._lock:
            self._tabs.add(tab)
        try:
            yield _text("state", await asyncio.to_thread(state))
            while not self._closed:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await tab.awake.wait()
                except TimeoutError:
                    yield _HEARTBEAT
                    continue
                with self._lock:
                    texts = tab.take()
                for text in texts:
                    yield text
        finally:
            with self._lock:
                self._tabs.discard(tab)

    def close(self) -> None:
        """End every stream, and each that is yet to begin after its first event. From any thread."""
        with self._lock:
            self._closed = True
            for tab in self._tabs:
                tab.wake()


@final
class _Tab:
    """What one tab has not been sent; touched under the hub's lock only, but for ``awake``, which is the loop's."""

    def __init__(self) -> None:
        self.awake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._unsent: dict[str, str] = {}

    def put(self, event: str, text: str) -> None:
        idle = not self._unsent
        self._unsent.pop(event, None)  # so that the new one stands at the end
        self._unsent[event] = text
        if idle:
            self.wake()

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the tab with it
            self._loop.call_soon_threadsafe(self.awake.set)

    def take(self) -> list[str]:
        self.awake.clear()
        texts = list(self._unsent.values())
        self._unsent.clear()
        return texts


def _text(event: str, data: Mapping[str, Any]) -> str:
    return f"event: {event}\ndata: {json_text(data)}\n\n"
