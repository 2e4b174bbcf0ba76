"""The routes: a fixed table, made once. Nothing of a request ever becomes a path, an address or code."""

import asyncio
import base64
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from byhand.data.drawing import Drawn, as_mnist
from byhand.errors import ByhandError, DataError, UsageError
from byhand.json_text import json_text
from byhand.play.commands import read_command, read_picture
from byhand.play.guard import Guard, Rule
from byhand.play.keys import Keys
from byhand.play.limits import COMMAND_BYTES, PICTURE_BYTES, STREAMS
from byhand.play.session import Session
from byhand.play.stream import Stream
from byhand.text import one_line

__all__ = ["make_app"]

_PAGE: Final = "index.html"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}

_Answer = Callable[[Request], Awaitable[Response | Stream]]


@final
@dataclass(frozen=True, slots=True)
class _Place:
    rule: Rule
    answer: _Answer


def make_app(session: Session, keys: Keys) -> Guard:
    """The whole application of a session: the guard, and behind it the page, its files, events and commands."""
    table = _assets() | _live(session)
    routes = [Route(path, place.answer, methods=[place.rule.method]) for path, place in table.items()]
    app = Starlette(routes=routes, exception_handlers={ByhandError: _said, Exception: _bug})
    return Guard(app, {path.encode(): place.rule for path, place in table.items()}, keys)


def _assets() -> dict[str, _Place]:
    """Every file of the page, read once; the page itself is at "/"."""
    files = {file.name: file.read_bytes() for file in resources.files("byhand.play").joinpath("static").iterdir()}
    return {
        "/" if name == _PAGE else f"/{name}": _Place(Rule("GET"), _constant(content, _TYPES[f".{name.split('.')[-1]}"]))
        for name, content in sorted(files.items())
    }


def _constant(content: bytes, media_type: str) -> _Answer:
    async def answer(request: Request) -> Response:
        return Response(content, media_type=media_type)

    return answer


def _live(session: Session) -> dict[str, _Place]:
    """What the session answers. Its calls run in threads, since they may wait for a step of the training."""
    places = asyncio.Semaphore(STREAMS)

    async def events(request: Request) -> Response | Stream:
        if places.locked():
            return _json({"error": f"{STREAMS} tabs show this page already; close one"}, 429)
        return Stream(session.hub.listen(session.state), places)

    async def do(request: Request) -> Response:
        command = read_command(await request.body())
        return _json(await asyncio.to_thread(session.do, command))

    async def weights(request: Request) -> Response:
        found, at = await asyncio.to_thread(_weights, session)
        return Response(found, media_type="application/octet-stream", headers=at)

    async def picture(request: Request) -> Response:
        drawn = await asyncio.to_thread(_centred, session, await request.body())
        return _json({"image": base64.b64encode(drawn.image.tobytes()).decode(), "notes": drawn.notes})

    async def exported(request: Request) -> Response:
        page = await asyncio.to_thread(session.exported)
        if page is None:
            raise DataError("there are no weights to export")
        headers = {
            "Content-Disposition": 'attachment; filename="digit.html"',
            "Content-Security-Policy": "sandbox; default-src 'none'",
        }
        return Response(page, media_type=_TYPES[".html"], headers=headers)

    return {
        "/events": _Place(Rule("GET"), events),
        "/weights": _Place(Rule("GET"), weights),
        "/digit.html": _Place(Rule("GET"), exported),
        "/do": _Place(Rule("POST", b"application/json", COMMAND_BYTES), do),
        "/picture": _Place(Rule("POST", b"application/octet-stream", PICTURE_BYTES), picture),
    }


def _weights(session: Session) -> tuple[bytes, dict[str, str]]:
    """The weights, and the run and step that they are of, or a few steps younger than while training goes on."""
    state = session.state()
    found = session.weights()
    if found is None:
        raise DataError("there are no weights to send")
    return found, {f"X-Byhand-{name.capitalize()}": str(int(state[name])) for name in ("run", "step")}


def _centred(session: Session, body: bytes) -> Drawn:
    grey = read_picture(body)
    data: dict[str, Any] = session.state().get("data") or {}
    if data.get("ink_box") is None:
        raise UsageError("these data are no light ink on a black ground, so that no picture is made like them")
    return as_mnist(grey, data["shape"][0], data["ink_box"])


def _json(value: object, status: int = 200) -> Response:
    return Response(json_text(value), status, media_type="application/json")


def _said(request: Request, error: Exception) -> Response:
    return _json({"error": one_line(str(error))}, 400 if isinstance(error, UsageError) else 422)


def _bug(request: Request, error: Exception) -> Response:
    """A fault of ours: the terminal shows it, and the tab learns only that there is one."""
    traceback.print_exception(error)
    return _json({"error": "a bug of byhand's; the terminal says more"}, 500)
