"""The door in a real browser: a link followed from elsewhere, reloads, a second tab, and another site's page."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.play._serving import Served, running

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="the browser tests need Chromium: none on the path")

DO = """async address => {
    const body = JSON.stringify({do: "step"}), headers = {"Content-Type": "application/json"};
    try { return (await fetch(address, {method: "POST", headers, body, credentials: "include"})).status }
    catch { return "refused" }
}"""
GET = """async address => {
    try { const reply = await fetch(address, {mode: "no-cors", credentials: "include"}); return reply.type }
    catch { return "refused" }
}"""
LISTEN = """() => new Promise(resolve => {
    const source = new EventSource("/events");
    source.addEventListener("state", event => { source.close(); resolve(JSON.parse(event.data).mode) });
    source.onerror = () => resolve("error");
})"""


@pytest.fixture
def context() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=BROWSER, args=options)
        yield browser.new_context()
        browser.close()


@pytest.fixture
def served() -> Iterator[Served]:
    with running() as served:
        yield served
        assert served.complaints.read_text() == ""


@pytest.fixture
def elsewhere(served: Served) -> Iterator[str]:
    """Another site's page, which knows the address: to a browser, localhost and 127.0.0.1 are two sites."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<a href="http://{served.host}/?token={served.token}">play</a>'.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002, its name in the library
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_link_works_from_anywhere_and_then_the_browser_is_inside(
    context: Any, served: Served, elsewhere: str
) -> None:
    page = context.new_page()
    page.goto(elsewhere)
    page.get_by_text("play").click()
    page.wait_for_url(f"http://{served.host}/")  # the token is out of the address
    assert page.evaluate(DO, "/do") == 200
    assert page.evaluate(LISTEN) == "train"
    assert page.evaluate("document.cookie") == ""
    assert page.reload().status == 200
    second = context.new_page()
    assert second.goto(f"http://{served.host}/").status == 200
    assert second.evaluate(DO, "/do") == 200
    page.go_back()
    page.get_by_text("play").click()  # the token is spent, and a cookie of this kind does not come along
    page.get_by_text("start byhand play again").wait_for()


def test_another_sites_page_can_do_and_read_nothing(context: Any, served: Served, elsewhere: str) -> None:
    inside, outside = context.new_page(), context.new_page()
    inside.goto(f"http://{served.host}/?token={served.token}")
    outside.goto(elsewhere)
    for host in (served.host, f"localhost:{served.port}"):
        assert outside.evaluate(DO, f"http://{host}/do") == "refused"
        for path in ("/", "/weights", "/events", "/main.js", "/digit.html"):
            assert outside.evaluate(GET, f"http://{host}{path}") == "refused"
    outside.evaluate(
        "address => { const f = document.createElement('iframe'); f.src = address; document.body.append(f) }",
        f"http://{served.host}/",
    )
    assert inside.evaluate(LISTEN) == "train"
    look = inside.evaluate(
        """async () => {
            const headers = {"Content-Type": "application/json"};
            const reply = await fetch("/do", {method: "POST", headers, body: JSON.stringify({do: "look"})});
            return (await reply.json()).step;
        }"""
    )
    assert look == 0


def test_another_browser_stays_outside(context: Any, served: Served) -> None:
    inside = context.new_page()
    inside.goto(f"http://{served.host}/?token={served.token}")
    stranger = context.browser.new_context().new_page()
    for address in (f"http://{served.host}/", f"http://{served.host}/?token={served.token}"):
        assert stranger.goto(address).status == 403
        assert stranger.get_by_text("start byhand play again").is_visible()
