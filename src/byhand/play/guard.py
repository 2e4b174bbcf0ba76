"""What stands in front of every route: whatever is not expressly allowed is refused.

A page on the loopback address is open to every program and, through the browser, to every web page that its user
visits. So each request must name this server as its host (a foreign name that resolves to this machine does not), come
from this origin if it comes from any, hold the cookie, and ask for a path of a fixed table, byte for byte: no path is
ever decoded, joined or opened.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from byhand.play.answers import plain_fields, with_security
from byhand.play.keys import Keys
from byhand.play.limits import BODY_SECONDS, HEAD_BYTES, HEAD_FIELDS

__all__ = ["Guard", "Rule"]

_PAGE: Final = b"/"
_DIGITS: Final = 20  # of a body's length; Python refuses to read some thousands
_NO_KEY: Final = (
    "this page belongs to the browser tab that byhand opened; use that tab, or start byhand play again for a new one"
)


@final
@dataclass(frozen=True, slots=True)
class Rule:
    """What a path takes."""

    method: str  # the only one
    body_type: bytes | None = None  # the content type that its body must have
    most: int = 0  # bytes of the body


@final
class Guard:
    """An ASGI application in front of another, which sees only requests that passed, each with its whole body.

    Args:
        app: what is behind it.
        rules: for each path, as bytes, what it takes. Every other path is refused.
        keys: who may come in.
    """

    def __init__(self, app: ASGIApp, rules: Mapping[bytes, Rule], keys: Keys) -> None:
        self.rules: Final = rules
        self._app = app
        self._keys = keys
        self._hosts = {f"{name}:{keys.port}".encode() for name in ("127.0.0.1", "localhost", "[::1]")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        if scope["type"] != "http":
            return
        fields = _Fields(scope["headers"])
        try:
            rule, cookie = self._admit(scope, fields)
            _check_body(rule, fields)
            body = await _read(receive, rule.most)
        except _RefusedError as refused:
            await _refuse(refused, fields, send)
            return
        if body is None:
            return  # the client has gone
        await self._app(scope, _with_body(body, receive), _secured(send, cookie))

    def _admit(self, scope: Scope, fields: "_Fields") -> tuple[Rule, bytes | None]:
        """The rule of a request's path, and the cookie to set if it brought the token.

        Raises:
            _RefusedError: it may not pass.
        """
        path, query, method = scope["raw_path"], scope["query_string"], scope["method"]
        if fields.size + len(method) + len(path) + len(query) > HEAD_BYTES or fields.count > HEAD_FIELDS:
            raise _RefusedError(431, f"a request's head has at most {HEAD_BYTES} bytes and {HEAD_FIELDS} fields")
        if scope["http_version"] not in {"1.0", "1.1"}:
            raise _RefusedError(400, "only HTTP/1.1 is spoken here")
        self._check_place(fields, method)
        opening = path == _PAGE and method == "GET"
        _check_site(fields, opening, with_token=opening and self._keys.is_token(query))
        cookie = self._keys.set_cookie if opening and self._keys.exchange(query) else None
        if cookie is None and not self._keys.held(fields.all(b"cookie")):
            raise _RefusedError(403, _NO_KEY)
        rule = self.rules.get(path)
        if rule is None:
            raise _RefusedError(404, "there is nothing at this address")
        if method != rule.method:
            raise _RefusedError(405, f"only {rule.method} is taken here", (b"allow", rule.method.encode()))
        if query and not (opening and self._keys.is_token(query)):
            raise _RefusedError(400, "no question mark is taken in an address here")
        return rule, cookie

    def _check_place(self, fields: "_Fields", method: str) -> None:
        host, origins = fields.all(b"host"), fields.all(b"origin")
        if len(host) != 1 or host[0] not in self._hosts:
            raise _RefusedError(403, f"this server answers to 127.0.0.1:{self._keys.port} and localhost only")
        if any(origin != b"http://" + host[0] for origin in origins) or len(origins) > 1:
            raise _RefusedError(403, "another site's pages may ask nothing here")
        if method == "POST" and not origins:
            raise _RefusedError(403, "a command says which page it comes from")


@final
class _RefusedError(Exception):
    def __init__(self, status: int, text: str, *fields: tuple[bytes, bytes]) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.fields = fields


@final
class _Fields:
    """A request's header fields; their names come in lower case."""

    def __init__(self, pairs: list[tuple[bytes, bytes]]) -> None:
        self._pairs = pairs
        self.count = len(pairs)
        self.size = sum(len(name) + len(value) + 4 for name, value in pairs)

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self._pairs if key == name]


def _check_site(fields: _Fields, opening: bool, *, with_token: bool) -> None:
    """What the browser says of who asked; a link with a token may be followed from anywhere."""
    sites = fields.all(b"sec-fetch-site")
    allowed = [b"same-origin"]
    if opening:
        allowed.append(b"none")
    if with_token:
        allowed += [b"cross-site", b"same-site"]
    if len(sites) > 1 or any(site not in allowed for site in sites):
        raise _RefusedError(403, "another site's pages may ask nothing here")


def _check_body(rule: Rule, fields: _Fields) -> None:
    lengths, codings = fields.all(b"content-length"), fields.all(b"transfer-encoding")
    if (lengths and codings) or len(lengths) > 1:
        raise _RefusedError(400, "a body has one length")
    if lengths and not (lengths[0].isdigit() and len(lengths[0]) <= _DIGITS):
        raise _RefusedError(400, "a body's length is a whole number")
    if lengths and int(lengths[0]) > rule.most:
        raise _RefusedError(413, f"at most {rule.most} bytes are taken here")
    if rule.body_type is not None and fields.all(b"content-type") != [rule.body_type]:
        raise _RefusedError(415, f"only {rule.body_type.decode()} is taken here")


async def _read(receive: Receive, most: int) -> bytes | None:
    """The whole body; None where the client went away before its end."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                body += message["body"]
                if len(body) > most:
                    raise _RefusedError(413, f"at most {most} bytes are taken here")
                if not message["more_body"]:
                    return bytes(body)
    except TimeoutError:
        raise _RefusedError(408, "the body did not come in time") from None


def _with_body(body: bytes, receive: Receive) -> Receive:
    """``receive`` for an application that has not seen the body yet."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_it() -> Message:
        return first.pop() if first else await receive()

    return receive_it


def _secured(send: Send, cookie: bytes | None) -> Send:
    """``send`` that gives every answer the fields of ``with_security``, and the cookie."""

    async def send_it(message: Message) -> None:
        if message["type"] == "http.response.start":
            more: list[tuple[bytes, bytes]] = [] if cookie is None else [(b"set-cookie", cookie)]
            message = {**message, "headers": with_security([*message.get("headers", []), *more])}
        await send(message)

    return send_it


async def _refuse(refused: _RefusedError, fields: _Fields, send: Send) -> None:
    text = f"{refused.text}\n".encode()
    headers = [*plain_fields(text), *refused.fields]
    if fields.all(b"transfer-encoding") or any(length != b"0" for length in fields.all(b"content-length")):
        headers.append((b"connection", b"close"))  # nobody reads the rest of the body
    start: dict[str, Any] = {"type": "http.response.start", "status": refused.status}
    await send({**start, "headers": with_security(headers)})
    await send({"type": "http.response.body", "body": text})
