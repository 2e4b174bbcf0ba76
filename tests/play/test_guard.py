"""What the guard hands on, and what never gets as far as HTTP; the rest is in test_hostile."""

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send

from byhand.play.guard import Guard, Rule
from byhand.play.keys import Keys


class Behind:
    """An application that keeps what it receives."""

    def __init__(self) -> None:
        self.received: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.received += [await receive(), await receive()]
        await send({"type": "http.response.start", "status": 204, "headers": [(b"Cache-Control", b"private")]})
        await send({"type": "http.response.body", "body": b""})


def call(scope: dict[str, Any], *messages: dict[str, Any]) -> tuple[Behind, list[Any]]:
    keys, behind, sent = Keys(8765), Behind(), []
    waiting = [*messages, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    cookie = keys.set_cookie.split(b";")[0]
    headers = [(b"host", b"127.0.0.1:8765"), (b"origin", b"http://127.0.0.1:8765"), (b"cookie", cookie)]
    whole = {"headers": headers, "query_string": b"", "http_version": "1.1", **scope}
    asyncio.run(Guard(behind, {b"/do": Rule("POST", None, 6)}, keys)(whole, receive, send))
    return behind, sent


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


POST = {"type": "http", "method": "POST", "raw_path": b"/do"}


def test_the_body_arrives_whole_and_once() -> None:
    behind, sent = call(POST, part(b"ab"), part(b""), part(b"cdef", more=False))
    assert behind.received == [part(b"abcdef", more=False), {"type": "http.disconnect"}]
    headers = [name.lower() for name, _ in sent[0]["headers"]]
    assert sent[0]["status"] == 204
    assert headers.count(b"cache-control") == 1  # an answer's own field stands
    assert b"content-security-policy" in headers


def test_one_byte_too_many_in_parts_is_too_many() -> None:
    behind, sent = call(POST, part(b"abc"), part(b"def"), part(b"g", more=False))
    assert (behind.received, sent[0]["status"]) == ([], 413)


def test_a_client_that_goes_away_is_answered_nothing() -> None:
    behind, sent = call(POST, part(b"abc"))
    assert (behind.received, sent) == ([], [])


def test_there_are_no_websockets_and_nothing_else() -> None:
    for path in (b"/do", b"/"):
        behind, sent = call({"type": "websocket", "raw_path": path, "path": path.decode()})
        assert (behind.received, sent) == ([], [{"type": "websocket.close", "code": 1008}])
    for other in ("lifespan", "http2", "webtransport"):
        behind, sent = call({**POST, "type": other})
        assert (behind.received, sent) == ([], [])


def test_a_length_that_is_no_number_is_refused() -> None:
    keys = Keys(8765)
    for length in (b"", b"-1", b"+3", b"1_0", b"\xd9\xa3", b"9" * 6000):
        fields = [(b"host", b"127.0.0.1:8765"), (b"origin", b"http://127.0.0.1:8765"), (b"content-length", length)]
        sent: list[Any] = []

        async def receive() -> Any:
            return part(b"", more=False)

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        cookie = (b"cookie", keys.set_cookie.split(b";")[0])
        scope = {**POST, "headers": [*fields, cookie], "query_string": b"", "http_version": "1.1"}
        asyncio.run(Guard(Behind(), {b"/do": Rule("POST", None, 6)}, keys)(scope, receive, send))
        assert sent[0]["status"] == 400, length
