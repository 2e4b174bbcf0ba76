"""From any thread to every tab: the newest of each kind, in order, and nobody is held up."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest

from byhand.play import hub as module
from byhand.play.hub import Hub

PATIENCE = 60.0


def run(test: Callable[[Hub], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(PATIENCE):
            await test(Hub())

    asyncio.run(limited())


def parts(text: str) -> tuple[str, Any]:
    event, data, end = text.split("\n", 2)
    assert end == "\n"
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def following(texts: AsyncGenerator[str, None]) -> tuple[str, Any]:
    return parts(await anext(texts))


def in_a_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_without_a_tab_nothing_is_even_made_text() -> None:
    hub = Hub()
    hub.publish("frame", {"not JSON": object()})
    hub.close()
    assert hub.listeners == 0


def test_a_tab_hears_the_state_first_and_then_what_happens() -> None:
    async def test(hub: Hub) -> None:
        async with aclosing(hub.listen(lambda: {"step": 3})) as texts:
            assert await following(texts) == ("state", {"step": 3})
            assert hub.listeners == 1
            in_a_thread(lambda: hub.publish("frame", {"loss": float("nan")}))
            assert await following(texts) == ("frame", {"loss": None})
        assert hub.listeners == 0

    run(test)


def test_what_happens_while_the_state_is_read_is_not_lost() -> None:
    async def test(hub: Hub) -> None:
        def state() -> dict[str, int]:
            hub.publish("frame", {"step": 4})
            return {"step": 3}

        async with aclosing(hub.listen(state)) as texts:
            assert await following(texts) == ("state", {"step": 3})
            assert await following(texts) == ("frame", {"step": 4})

    run(test)


def test_a_slow_tab_gets_the_newest_of_each_kind_in_the_order_they_came() -> None:
    async def test(hub: Hub) -> None:
        slow, quick = hub.listen(dict), hub.listen(dict)
        await anext(slow)
        await anext(quick)
        for step in range(1000):
            hub.publish("frame", {"step": step})
            if step == 500:
                hub.publish("state", {"step": step})
                assert await following(quick) == ("frame", {"step": 500})
        hub.publish("findings", {"n": 1})
        assert [await following(slow) for _ in range(3)] == [
            ("state", {"step": 500}),
            ("frame", {"step": 999}),
            ("findings", {"n": 1}),
        ]
        assert [await following(quick) for _ in range(3)] == [
            ("state", {"step": 500}),
            ("frame", {"step": 999}),
            ("findings", {"n": 1}),
        ]
        await slow.aclose()
        await quick.aclose()

    run(test)


def test_many_threads_and_a_tab_that_comes_and_goes() -> None:
    async def test(hub: Hub) -> None:
        done = threading.Event()

        def publish(name: str) -> None:
            step = 0
            while not done.is_set():
                hub.publish(name, {"step": step})
                step += 1

        threads = [threading.Thread(target=publish, args=(name,)) for name in ("frame", "history", "findings")]
        for thread in threads:
            thread.start()
        try:
            for _ in range(30):
                seen: dict[str, int] = {}
                async with aclosing(hub.listen(dict)) as texts:
                    await anext(texts)
                    while len(seen) < 3:
                        name, data = await following(texts)
                        assert data["step"] > seen.get(name, -1)
                        seen[name] = data["step"]
        finally:
            done.set()
            for thread in threads:
                thread.join(PATIENCE)
        assert hub.listeners == 0

    run(test)


def test_silence_is_broken_by_a_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)

    async def test(hub: Hub) -> None:
        async with aclosing(hub.listen(dict)) as texts:
            await anext(texts)
            for _ in range(3):
                assert (await anext(texts)).startswith(":")
            hub.publish("frame", {})
            while (text := await anext(texts)).startswith(":"):
                pass
            assert parts(text) == ("frame", {})

    run(test)


def test_closing_ends_every_stream_from_any_thread() -> None:
    async def test(hub: Hub) -> None:
        async def listen() -> list[str]:
            return [text async for text in hub.listen(dict)]

        tasks = [asyncio.create_task(listen()) for _ in range(5)]
        while hub.listeners < 5:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(hub.close)
        assert [len(texts) for texts in await asyncio.gather(*tasks)] == [1] * 5
        assert len(await listen()) == 1
        assert hub.listeners == 0

    run(test)


def test_a_state_that_fails_leaves_no_tab_behind() -> None:
    async def test(hub: Hub) -> None:
        def state() -> dict[str, Any]:
            raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            await anext(hub.listen(state))
        assert hub.listeners == 0

    run(test)


def test_a_loop_that_has_ended_holds_up_nobody() -> None:
    hub = Hub()
    loop = asyncio.new_event_loop()
    texts = hub.listen(dict)
    loop.run_until_complete(anext(texts))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    hub.publish("frame", {"step": 1})
    hub.publish("state", {"step": 1})
    hub.close()
    assert hub.listeners == 1
    with pytest.raises(StopIteration):  # the generator ends on its own: it waits for nothing
        texts.aclose().send(None)
    assert hub.listeners == 0
