"""Hostile clients on every route: refused with a status of 400 to 499, or cut off; never a fault, never a file."""

import contextlib
import itertools
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from byhand.play.answers import SECURITY
from byhand.play.app import make_app
from byhand.play.keys import Keys
from byhand.play.limits import COMMAND_BYTES, HEAD_FIELDS, PICTURE_BYTES
from tests.play._serving import PATIENCE, Reply, Served, Sketch, parse, read, request, running

RULES = make_app(Sketch(), Keys(1)).rules
ROUTES = sorted(path.decode() for path in RULES)
BODIES = {
    "/do": b'{"do": "step"}',
    "/picture": struct.pack("<HH", 8, 8) + (255 * np.eye(8, dtype=np.uint8)).tobytes(),
}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with running(BODY_SECONDS=1.0, HEAD_SECONDS=1.0, IDLE_SECONDS=1) as served:
        yield served
        assert served.complaints.read_text() == ""


@pytest.fixture(scope="module")
def entered(served: Served) -> dict[str, str]:
    return served.enter()


@pytest.fixture(autouse=True)
def alive(served: Served, entered: dict[str, str]) -> Iterator[None]:
    """Whatever a test does, the server still answers afterwards, and nobody came through."""
    before = steps(served, entered)
    yield
    assert steps(served, entered) == before
    assert served.process.poll() is None


def steps(served: Served, entered: dict[str, str]) -> int:
    reply = served.ask("POST", "/do", {**entered, "Content-Type": "application/json"}, b'{"do": "look"}')
    assert reply is not None
    assert reply.status == 200
    return int(reply.json()["step"])


def good(route: str, entered: dict[str, str]) -> tuple[str, dict[str, str], bytes]:
    """A request for a route that would be answered: method, fields and body."""
    rule = RULES[route.encode()]
    kind = {"Content-Type": rule.body_type.decode()} if rule.body_type else {}
    return rule.method, {**entered, **kind}, BODIES.get(route, b"")


def refused(reply: Reply | None, *statuses: int) -> None:
    """Cut off, or refused in a sentence, with the fields of every answer."""
    if reply is None:
        return
    assert reply.status in statuses if statuses else 400 <= reply.status < 500, reply
    assert {name.decode(): value.decode() for name, value in SECURITY}.items() <= reply.fields.items()
    assert "set-cookie" not in reply.fields
    assert reply.fields["content-type"] == "text/plain; charset=utf-8"
    assert len(reply.body) < 200


def test_every_route_answers_whoever_has_all_that_is_asked_for(served: Served, entered: dict[str, str]) -> None:
    for route in ROUTES:
        method, fields, body = good(route, entered)
        if route == "/events":  # has no end
            with served.connect() as wire:
                wire.sendall(request(method, route, {"Host": served.host, **fields}))
                assert parse(wire.recv(1 << 16)).fields["content-type"] == "text/event-stream; charset=utf-8"
        elif route == "/do":
            reply = served.ask(method, route, fields, b'{"do": "look"}')
            assert reply is not None
            assert reply.status == 200
        else:
            reply = served.ask(method, route, fields, body)
            assert reply is not None
            assert reply.status == 200, route
        for name in ("localhost", "[::1]"):
            host = f"{name}:{served.port}"
            if route not in {"/events", "/do"}:
                reply = served.ask(method, route, {**fields, "Host": host, "Origin": f"http://{host}"}, body)
                assert reply is not None
                assert reply.status == 200


def hosts(port: int) -> list[str | None]:
    """Everything but the three that are meant; names in capitals are refused too, since no browser sends them."""
    right = f"127.0.0.1:{port}"
    return [
        None,
        "",
        "127.0.0.1",
        "localhost",
        f"127.0.0.1:{port + 1}",
        "127.0.0.1:80",
        f"127.0.0.1:0{port}",
        f"127.0.0.1:+{port}",
        f"127.0.0.1:{port}.",
        f"127.0.0.1.evil.example:{port}",
        f"127.0.0.1.nip.io:{port}",
        f"evil.example:{port}",
        f"localhost.evil.example:{port}",
        f"evil-localhost:{port}",
        f"evil@{right}",
        f"{right}@evil.example",
        f"user:word@{right}",
        f"0.0.0.0:{port}",
        f"127.1:{port}",
        f"127.0.0.2:{port}",
        f"2130706433:{port}",
        f"0x7f000001:{port}",
        f"0177.0.0.1:{port}",
        f"127.0.0.1.:{port}",
        f"localhost.:{port}",
        f"LOCALHOST:{port}",
        f"[::]:{port}",
        f"[::ffff:127.0.0.1]:{port}",
        f"[0:0:0:0:0:0:0:1]:{port}",
        f"::1:{port}",
        f"{right}, evil.example",
        f"{right}/",
        f"{right}#",
        f"http://{right}",
        f"{right} {right}",
        f"127。0。0。1:{port}".encode().decode("latin-1"),
    ]


@pytest.mark.parametrize("route", ROUTES)
def test_a_wrong_host_is_refused(served: Served, entered: dict[str, str], route: str) -> None:
    method, fields, body = good(route, entered)
    for host in hosts(served.port):
        own = {name: value for name, value in fields.items() if name != "Host"}
        for origin in (entered["Origin"], f"http://{host}"):
            named = {"Connection": "close"} if host is None else {"Host": host, "Connection": "close"}
            refused(served.say(request(method, route, {**named, **own, "Origin": origin}, body)), 400, 403)
    for second in (served.host, "evil.example"):
        twice = {"Host": served.host, "host": second, "Connection": "close", **fields}
        refused(served.say(request(method, route, twice, body)), 400, 403)
    for kept in ({}, {"Host": "evil.example"}):  # HTTP/1.0 asks for no Host
        old = request(method, route, {**kept, **fields}, body).replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
        refused(served.say(old), 400, 403)


def origins(port: int) -> list[str]:
    right = f"http://127.0.0.1:{port}"
    return [
        "",
        "null",
        "NULL",
        "*",
        "file://",
        "http://",
        "http://127.0.0.1",
        "http://localhost",
        f"https://127.0.0.1:{port}",
        f"ws://127.0.0.1:{port}",
        f"HTTP://127.0.0.1:{port}",
        f"http://127.0.0.1:{port + 1}",
        f"http://127.0.0.1:{port}0",
        f"http://127.0.0.1:0{port}",
        f"http://localhost:{port}",
        f"http://[::1]:{port}",
        f"http://127.0.0.1.evil.example:{port}",
        f"http://evil.example/{right}",
        f"http://evil.example#{right}",
        f"http://localhost.evil.example:{port}",
        "http://evil.example",
        f"http://evil.example:{port}",
        f"http://evil@127.0.0.1:{port}",
        f"http://127.0.0.1:{port}@evil.example",
        f"{right}/",
        f"{right}/page",
        f"{right}?",
        f"{right}.",
        f"{right} {right}",
        f"{right}, http://evil.example",
        f"{right};",
        f"//127.0.0.1:{port}",
        f"127.0.0.1:{port}",
        "chrome-extension://abcdefghijklmnop",
        "about:blank",
        f"http:\\\\127.0.0.1:{port}",
    ]


@pytest.mark.parametrize("route", ROUTES)
def test_a_foreign_origin_is_refused(served: Served, entered: dict[str, str], route: str) -> None:
    method, fields, body = good(route, entered)
    for origin in origins(served.port):
        refused(served.ask(method, route, {**fields, "Origin": origin}, body), 403)
    for second in (entered["Origin"], "null", "http://evil.example"):
        refused(served.ask(method, route, {**fields, "origin": second}, body), 403)
    for site in ("cross-site", "same-site", "none", "", "same-origin, cross-site", "SAME-ORIGIN", "no-cors"):
        if (route, site) != ("/", "none"):  # an address typed by hand
            refused(served.ask(method, route, {**fields, "Sec-Fetch-Site": site}, body), 403)
    twice = {**fields, "Sec-Fetch-Site": "same-origin", "sec-fetch-site": "cross-site"}
    refused(served.ask(method, route, twice, body), 403)
    if method == "POST":
        without = {name: value for name, value in fields.items() if name != "Origin"}
        refused(served.ask(method, route, without, body), 403)


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_comes_in_without_the_cookie(served: Served, entered: dict[str, str], route: str) -> None:
    method, fields, body = good(route, entered)
    name, _, value = entered["Cookie"].partition("=")
    cookies = [None, "", name, value, f"{name}=", f"={value}", f"{name}={value[:-1]}", f"{name}={value}x"]
    cookies += [
        f"byhand-{served.port + 1}={value}",
        f"byhand={value}",
        f"{name}={value.swapcase()}",
        f"x{name}={value}",
    ]
    cookies += [
        f"{name}={served.token}",
        f"token={value}",
        f"{name}:{value}",
        f'{name}="{value}"',
        f"{name}=a, {name}=b",
    ]
    for cookie in cookies:
        own = {key: text for key, text in fields.items() if key != "Cookie"} | (
            {} if cookie is None else {"Cookie": cookie}
        )
        refused(served.ask(method, route, own, body), 403)
        for query in (f"?token={served.token}", "?token=", f"?token={value}", f"?token={served.token[:-1]}", "?x=1"):
            refused(served.ask(method, route + query, own, body), 403)
    for query in ("?", "?x=1", f"?token={served.token}", "?token=x", "?/../x"):
        if route != "/" and query != "?":
            refused(served.ask(method, route + query, fields, body), 400)


def test_a_token_opens_the_page_once_and_only_for_a_plain_get(entered: dict[str, str]) -> None:
    with running() as served:
        target = f"/?token={served.token}"
        for method in ("POST", "HEAD", "PUT", "OPTIONS", "get"):
            refused(served.ask(method, target, {"Origin": f"http://{served.host}"}), 403)
        for fields in ({"Host": "evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "sideways"}):
            refused(served.ask("GET", target, fields), 403)
        for other in (f"/main.js?token={served.token}", f"//?token={served.token}", f"/?Token={served.token}"):
            refused(served.ask("GET", other), 403)
        for more in ("x", "&", "=", "%00"):
            refused(served.ask("GET", target + more), 403)
        first = served.ask("GET", target, {"Sec-Fetch-Site": "cross-site"})  # a link, clicked in another page
        assert first is not None
        assert first.status == 200
        assert b"<html" in first.body
        cookie = {"Cookie": first.fields["set-cookie"].split(";")[0]}
        again = served.ask("GET", target)
        refused(again, 403)
        assert again is not None
        assert b"start byhand play again" in again.body
        reloaded = served.ask("GET", target, cookie)
        assert reloaded is not None
        assert reloaded.status == 200
        assert "set-cookie" not in reloaded.fields
        refused(served.ask("GET", "/weights", entered), 403)  # another server's cookie
        weights = served.ask("GET", "/weights", cookie)
        assert weights is not None
        assert weights.status == 200


METHODS = ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "MKCOL", "MOVE", "COPY", "LOCK"]
METHODS += ["SEARCH", "PURGE", "QUERY", "LINK"]
METHODS += ["get", "Post", "GETT", "X-DO", "!"]


@pytest.mark.parametrize("route", ROUTES)
def test_only_the_method_of_a_route_is_taken(served: Served, entered: dict[str, str], route: str) -> None:
    method, fields, body = good(route, entered)
    for other in [*METHODS, "POST" if method == "GET" else "GET"]:
        reply = served.ask(other, route, fields)
        if other == "HEAD":
            assert reply is not None
            assert (reply.status, reply.body) == (405, b"")
        else:
            refused(reply, 405)
            assert reply is not None
            assert reply.fields["allow"] == method
        refused(served.ask(other, route, fields, body or b"x"), 405)
        refused(
            served.ask(method, route, {**fields, "X-HTTP-Method-Override": other, "Host": "evil.example"}, body), 403
        )


def targets(port: int) -> list[str]:
    """More than 200 ways to ask for what is not in the table."""
    files = ["etc/passwd", "main.js", "index.html", "app.py", "run.json", "windows/win.ini"]
    ups = ["../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%252f", "%252e%252e%252f", "..\\", "..%5c", "%2e%2e%5c"]
    ups += [
        "....//",
        "..;/",
        "..%00/",
        "..%c0%af",
        "%c0%ae%c0%ae/",
        "%e0%80%ae%e0%80%ae/",
        "..%ef%bc%8f",
        "%uff0e%uff0e/",
    ]
    ups += [".%2e/", "%2e./", "..%u2215", "..//", "./../", "..%09/", "..%0d%0a/", "%f0%80%80%af"]
    found = ["/" + up * depth + file for up, depth, file in itertools.product(ups, (1, 6), files[:4])]
    found += [f"/static/{up * 3}{file}" for up, file in itertools.product(ups, files)]
    found += [f"/{quote(file, safe='')}" for file in files if file != "main.js"]
    found += [f"//{file}" for file in files] + [f"/./{file}" for file in files] + [f"/static/{file}" for file in files]
    found += [
        "//",
        "///",
        "/.",
        "/..",
        "/%2f",
        "/%2e",
        "/%00",
        "/%",
        "/%zz",
        "/\\",
        "/~",
        "/~root",
        "/*",
        "*",
        "/;/",
        "/a" * 500,
    ]
    found += [
        "/main.js/",
        "/main.js%00",
        "/main.js%20",
        "/main.js.",
        "/main%2ejs",
        "/main%2Ejs",
        "/MAIN.JS",
        "/main.js;a",
    ]
    found += [
        "/main.js::$DATA",
        "/main.js~",
        "/main.js.map",
        "/main.js/../style.css",
        "/style.css%23",
        "/do/",
        "/Do",
        "/do%20",
    ]
    found += [
        "/.git/config",
        "/.env",
        "/proc/self/environ",
        "/dev/null",
        "/con",
        "/nul.js",
        "/c:/windows/win.ini",
        "/C|/x",
    ]
    found += [
        "/file=/etc/passwd",
        "/file/etc/passwd",
        "/static",
        "/static/",
        "/favicon.ico",
        "/robots.txt",
        "/__init__.py",
    ]
    here = f"127.0.0.1:{port}"
    found += [
        "http://evil.example/",
        "https://evil.example",
        f"http://{here}/",
        f"http://{here}/main.js",
        f"HTTP://{here}",
    ]
    found += [
        "//evil.example",
        "//evil.example/..",
        f"//{here}/main.js",
        "///evil.example",
        "file:///etc/passwd",
        "data:,x",
    ]
    found += [
        f"{here}",
        "evil.example:443",
        "javascript:1",
        "main.js",
        "etc/passwd",
        "../main.js",
        "?",
        "?token=x",
        "#",
        "/#",
    ]
    return found


def test_a_path_that_is_not_in_the_table_is_nothing(served: Served, entered: dict[str, str]) -> None:
    strange = targets(served.port)
    assert len(set(strange)) > 200
    for target in strange:
        for method in ("GET", "POST"):
            reply = served.ask(method, target, entered)
            refused(reply, 400, 404)
            assert reply is not None
    for target in (b"/\xff", b"/\xc0\xaf", b"/\x00", b"/main.js\x00.css", b"/\x7f", b"/a b", b"/\ta", b"", b" "):
        refused(
            served.say(b"GET " + target + request("GET", "", {"Host": served.host, **entered}).removeprefix(b"GET "))
        )


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_that_is_too_large_or_of_another_kind_is_refused(
    served: Served, entered: dict[str, str], route: str
) -> None:
    method, fields, _ = good(route, entered)
    most = {"/do": COMMAND_BYTES, "/picture": PICTURE_BYTES}.get(route, 0)
    for length in (most + 1, 10**6, 10**12, 10**19):
        refused(served.ask(method, route, {**fields, "Content-Length": str(length)}), 400, 413)
    refused(served.ask(method, route, fields, bytes(most + 1)), 413)
    refused(served.ask(method, route, {**fields, "Content-Length": "5"}, b"abc"), 408, 413)  # less than it says
    for length in (
        "-1",
        "+5",
        "0x10",
        "1e3",
        "5, 6",
        "",
        " ",
        "five",
        "٣".encode().decode("latin-1"),
        "9" * 30,
    ):
        refused(served.ask(method, route, {**fields, "Content-Length": length}, b"abcde"), 400, 413, 408)
    both = {**fields, "Content-Length": "5", "Transfer-Encoding": "chunked"}
    refused(served.ask(method, route, both, b"0\r\n\r\n"), 400)
    for coding in ("gzip", "chunked, gzip", "identity", "chunked, chunked", "xchunked"):
        refused(served.ask(method, route, {**fields, "Transfer-Encoding": coding}, b"0\r\n\r\n"), 400)
    chunked = {**fields, "Transfer-Encoding": "chunked"}
    for chunks in (
        b"zz\r\n",
        b"-1\r\nx\r\n",
        b"5\r\nabc",
        b"ffffffffffffffffffff\r\nabc",
        b"1\r\nab\r\n0\r\n\r\n",
        b"\r\n\r\n",
    ):
        refused(served.ask(method, route, chunked, chunks), 400, 408, 413)
    refused(served.ask(method, route, chunked, (b"400\r\n" + bytes(1024) + b"\r\n") * 512), 413)
    refused(served.ask(method, route, chunked, b"1\r\nx\r\n"), 408, 413)  # without end
    kinds = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "text/json"]
    kinds += ["application/json; charset=utf-8", "application/json, text/plain", "APPLICATION/JSON "]
    for kind in kinds if method == "POST" else ():
        refused(served.ask(method, route, {**fields, "Content-Type": kind}, b"{}"), 415)
    if method == "POST":
        plain = {name: value for name, value in fields.items() if name != "Content-Type"}
        refused(served.ask(method, route, plain, b"{}"), 415)
        refused(served.ask(method, route, {**fields, "content-type": "text/plain"}, b"{}"), 415)


@pytest.mark.parametrize("route", ROUTES)
def test_a_head_that_is_too_large_is_refused(served: Served, entered: dict[str, str], route: str) -> None:
    method, fields, body = good(route, entered)
    for long in (8_200, 1_000_000):
        refused(served.ask(method, route, {**fields, "X-Long": "x" * long}, body), 400, 431)
        refused(served.ask(method, route + "x" * long, fields, body), 400, 431)
        refused(served.ask(method, f"{route}?{'x' * long}", fields, body), 400, 431)
        refused(served.ask("G" * long, route, fields), 400, 431)
    refused(served.ask(method, route, {**fields, **{f"X-{i}": "x" for i in range(HEAD_FIELDS)}}, body), 431)
    refused(served.ask(method, route, {**fields, **{f"X-{i}": "x" for i in range(100_000)}}, body), 400, 431)


def test_what_is_no_http_is_refused(served: Served, entered: dict[str, str]) -> None:
    head = f"Host: {served.host}\r\nCookie: {entered['Cookie']}\r\n\r\n".encode()
    lines = [b"GET /\r\n", b"GET / HTTP/9.9\r\n", b"GET / HTTP/1.1 \r\n", b"GET  / HTTP/1.1\r\n", b"/ HTTP/1.1\r\n"]
    lines += [
        b"GET / HTTP/2.0\r\n",
        b"PRI * HTTP/2.0\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 99,
    ]
    lines += [b"GET / HTTP/1.1\r\nno colon\r\n", b"GET / HTTP/1.1\r\n folded: x\r\n", b"GET / HTTP/1.1\r\na b: c\r\n"]
    lines += [
        b"GET / HTTP/1.1\r\na: b\x00c\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n",
        b"SSH-2.0-x\r\n",
        b"\r\n" * 50 + b"x\r\n",
    ]
    for line in lines:
        refused(served.say(line + head, hurry=True))
    upgrade = {**entered, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    upgrade |= {"Host": served.host, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    refused(served.say(request("GET", "/socket", upgrade), hurry=True), 404)
    h2c = {**entered, "Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    refused(served.say(request("GET", "/x", {"Host": served.host, **h2c}), hurry=True), 404)


def test_garbage_after_a_good_request_stops_only_its_own_connection(served: Served, entered: dict[str, str]) -> None:
    asked = request("GET", "/main.js", {"Host": served.host, **entered})
    for garbage in (b"\x00\xff" * 5000, b"GET\r\n\r\n", asked[:-20] + b"\r\n\r\n", b"x" * 1_000_000):
        reply = served.say(asked + garbage, hurry=True)
        assert reply is None or reply.status == 200
    with served.connect() as wire:  # many good ones at once: answered one after another
        wire.sendall(asked * 49 + request("GET", "/main.js", {"Host": served.host, **entered, "Connection": "close"}))
        data = bytearray()
        while more := wire.recv(1 << 16):
            data += more
    assert data.count(b"HTTP/1.1 200 OK") == 50


TEXT = st.text(st.characters(max_codepoint=255), max_size=30)
NAMES = [
    "Host",
    "Origin",
    "Cookie",
    "Content-Length",
    "Transfer-Encoding",
    "Content-Type",
    "Expect",
    "Connection",
    "Upgrade",
]


@given(data=st.binary(max_size=400), ended=st.booleans())
@settings(max_examples=150, deadline=None)
@example(data=b"GET / HTTP/1.1\r\n", ended=True)
def test_any_bytes_at_all(served: Served, data: bytes, ended: bool) -> None:
    refused(served.say(data + b"\r\n\r\n" * ended, hurry=True))


@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT"]) | TEXT,
    target=st.sampled_from(ROUTES) | TEXT,
    fields=st.lists(st.tuples(st.sampled_from(NAMES) | TEXT, TEXT | st.just("chunked") | st.just("5")), max_size=6),
    body=st.binary(max_size=60),
    inside=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_anything_that_looks_like_a_request(
    served: Served,
    entered: dict[str, str],
    method: str,
    target: str,
    fields: list[tuple[str, str]],
    body: bytes,
    inside: bool,
) -> None:
    known = [("Host", served.host), *entered.items()] if inside else []
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in [*known, *fields])]
    reply = served.say("\r\n".join([*lines, "", ""]).encode("latin-1") + body, hurry=True)
    if inside and reply is not None and reply.status in (101, 200):
        assert reply.status == 200
        assert target in ROUTES
    elif not (method == "HEAD" and reply is not None and reply.status == 405):
        refused(reply)


@pytest.mark.skipif(not Path("/proc/net").exists(), reason="needs a second loopback address")
def test_only_one_address_of_the_machine_listens(served: Served) -> None:
    for address in ("127.0.0.2", "127.255.255.254"):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, served.port), PATIENCE)
    with contextlib.suppress(OSError), socket.create_connection(("::1", served.port), PATIENCE) as wire:
        assert read(wire) is None
        pytest.fail("the IPv6 address answers")
