"""How fast is the page of ``byhand play``? From a pen's move to the bars, frames a second, and what watching costs.

Everything is the real thing: the command as a process of its own on MNIST, its page in Chromium on the same cores.
While it trains as fast as it goes,

* latency: from a pen's move to the bars' new lengths, and to the end of the frame that shows them;
* start: from the command to the address, and from Play to the first new weight pictures;
* frames: how often a second the weight pictures change, and how often the browser draws;
* cost: images a second with no tab open, with a reader that throws everything away, with the page in Chromium, and by
  ``Learner.fit`` alone, with its evaluations after each epoch, in turn;
* a program of the user's: seconds on the page, watched and judged every few seconds, to those alone.
"""

import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import measure
from playwright.sync_api import Page, sync_playwright

import byhand

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "first_attempt.py"
EPOCHS = 20  # that it trains
SECONDS = 5.0
MODELS: dict[str, list[int]] = {"linear": [], "784-30-10": [30]}
WAYS = ("no tab", "a tab that only reads", "the page")
MOVES = 100
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

WATCH_BARS = """async (moves) => {
    const canvas = document.querySelector("#draw-view canvas.pad"), box = canvas.getBoundingClientRect();
    const bars = document.querySelector("#draw-view .bars");
    const tell = (kind, x, y, buttons) => canvas.dispatchEvent(new PointerEvent(kind, {
        pointerId: 1, bubbles: true, button: kind === "pointermove" ? -1 : 0, buttons, isPrimary: true,
        clientX: box.left + x * box.width, clientY: box.top + y * box.height }));
    canvas.setPointerCapture = () => {};
    const channel = new MessageChannel();
    const soon = () => new Promise((done) => { channel.port1.onmessage = done; channel.port2.postMessage(0); });
    const changed = [], shown = [];
    tell("pointerdown", 0.3, 0.2, 1);
    for (let i = 0; i < moves; i++) {
        await new Promise((done) => setTimeout(done, 20 + 10 * Math.random()));
        const seen = new Promise((done) => new MutationObserver((_, me) => (me.disconnect(), done(performance.now())))
            .observe(bars, { attributes: true, childList: true, characterData: true, subtree: true }));
        const begun = performance.now(), turn = (2 * Math.PI * i) / moves;
        tell("pointermove", 0.5 + 0.2 * Math.sin(turn), 0.5 - 0.3 * Math.cos(turn), 1);
        changed.push((await seen) - begun);
        await new Promise(requestAnimationFrame);
        await soon();
        shown.push(performance.now() - begun);
    }
    tell("pointerup", 0.5, 0.5, 0);
    return [changed, shown];
}"""

FIRST_MOVE = """async () => {
    const step = document.getElementById("now-step"), begun = performance.now();
    const moved = new Promise((done) => new MutationObserver((_, me) => (me.disconnect(), done()))
        .observe(step, { childList: true, characterData: true, subtree: true }));
    document.getElementById("play").click();
    await moved;
    return performance.now() - begun;
}"""

COUNT_FRAMES = """async (seconds) => {
    let pictures = 0, frames = 0, longest = 0, last = performance.now();
    const seen = new MutationObserver(() => pictures++);
    seen.observe(document.getElementById("now-step"), { childList: true, characterData: true, subtree: true });
    const end = performance.now() + 1000 * seconds;
    await new Promise((done) => requestAnimationFrame(function frame(now) {
        frames++; longest = Math.max(longest, now - last); last = now;
        now < end ? requestAnimationFrame(frame) : done();
    }));
    seen.disconnect();
    return [pictures / seconds, frames / seconds, longest];
}"""


class Server:
    """The command, and a client that plays it."""

    def __init__(self, target: str) -> None:
        words = [sys.executable, "-m", "byhand", "play", target, "--no-browser", "--port", "0", "--json"]
        env, begun = os.environ | {"BYHAND_DATA": str(measure.data_folder())}, time.perf_counter()
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=env)
        self.address = urlsplit(json.loads(self.process.stdout.readline() if self.process.stdout else "")["url"])
        self.started = time.perf_counter() - begun
        line = http.client.HTTPConnection(self.address.netloc, timeout=30)
        line.request("GET", f"/?{self.address.query}")
        self.cookie = str(line.getresponse().getheader("Set-Cookie")).split(";")[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait()

    @property
    def page(self) -> str:
        return f"http://{self.address.netloc}/"

    def ask(self, method: str, path: str, command: dict[str, Any] | None = None) -> http.client.HTTPResponse:
        line = http.client.HTTPConnection(self.address.netloc, timeout=30)
        headers = {"Cookie": self.cookie, "Origin": f"http://{self.address.netloc}", "Content-Type": "application/json"}
        line.request(method, path, json.dumps(command) if command else None, headers)
        answer = line.getresponse()
        if answer.status != 200:
            sys.exit(f"{path}: {answer.status} {answer.read()!r}")
        return answer

    def do(self, what: str, **fields: Any) -> None:
        self.ask("POST", "/do", {"do": what, **fields}).read()

    def state(self) -> dict[str, Any]:
        answer = self.ask("GET", "/events")
        answer.readline()
        return json.loads(answer.readline().removeprefix(b"data: "))

    def settle(self) -> None:
        """Wait until the finder and the search for the ceiling are over: they would share the cores."""
        while (told := self.state())["finder_state"] == "finding" or told["ceiling_state"] == "finding":
            time.sleep(0.5)

    def step(self) -> int:
        answer = self.ask("GET", "/weights")
        answer.read()
        return int(str(answer.getheader("X-Byhand-Step")))

    def rate(self) -> float:
        """Images a second over ``SECONDS``."""
        first, begun = self.step(), time.perf_counter()
        time.sleep(SECONDS)
        last, ended = self.step(), time.perf_counter()
        return (last - first) * 256 / (ended - begun)


@contextmanager
def reader(server: Server) -> Iterator[None]:
    """A tab that throws away what it is told."""
    answer, over = server.ask("GET", "/events"), threading.Event()

    def read() -> None:
        while not over.is_set() and answer.readline():
            pass

    thread = threading.Thread(target=read)
    thread.start()
    yield
    over.set()
    thread.join()
    answer.close()


@contextmanager
def tab(server: Server, browser: Any, title: str = "mnist") -> Iterator[Page]:
    """The page in Chromium."""
    name, value = server.cookie.split("=", 1)
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.add_cookies([{"name": name, "value": value, "url": server.page}])
    page = context.new_page()
    page.goto(server.page)
    page.locator("#title", has_text=title).wait_for()
    yield page
    context.close()


def alone(hidden: list[int]) -> float:
    """Images a second of ``Learner.fit`` in this process."""
    data = byhand.load("mnist")
    model = byhand.MLP(784, hidden, 10) if hidden else byhand.LinearClassifier(784, 10)
    learn = byhand.Learner(data.loaders(256), model, metrics=byhand.accuracy, quiet=True)
    learn.fit(1, 0.1)
    begun, epochs = time.perf_counter(), 0
    while time.perf_counter() - begun < SECONDS:
        learn.fit(5, 0.1)
        epochs += 5
    return epochs * 211 * 256 / (time.perf_counter() - begun)


def script(browser: Any, rounds: int) -> str:
    """How much longer the second seed's program takes on the page: from its first printed line to its last."""
    plain: list[float] = []
    shown: list[float] = []
    for _ in range(rounds):
        with subprocess.Popen([sys.executable, "-u", SCRIPT], stdout=subprocess.PIPE) as process:
            times = [time.perf_counter() for _ in process.stdout or ()]
        plain.append(times[-1] - times[0])
        with Server(str(SCRIPT)) as server, tab(server, browser, SCRIPT.name):
            times = []
            while len(times) < EPOCHS:
                printed = server.state()["printed"].count("\n")
                times += [time.perf_counter()] * (printed - len(times))
                time.sleep(0.05)
        shown.append(times[-1] - times[0])
    both = f"{measure.spread(plain, '{:.1f} s'.format)} alone, {measure.spread(shown, '{:.1f} s'.format)} on the page"
    return f"{SCRIPT.name}, {EPOCHS - 1} epochs: {both}: {measure.ratio(shown, plain)} times as long"


def thousands(value: float) -> str:
    return f"{value / 1000:.0f} thousand"


def ms(value: float) -> str:
    return f"{value:.1f} ms"


def measured(server: Server, browser: Any, hidden: list[int], rounds: int) -> tuple[dict[str, list[float]], ...]:
    """Images a second each way, and what was seen of the page, round by round."""
    rates: dict[str, list[float]] = {way: [] for way in ("Learner.fit alone", *WAYS)}
    seen: dict[str, list[float]] = {name: [] for name in ("first", "changed", "shown", "pictures", "frames", "longest")}
    server.do("set", controls={"hidden": hidden, "init": "kaiming" if hidden else "zeros", "lr": 0.1, "speed": 0})
    server.settle()
    for _ in range(rounds):
        server.do("pause")
        rates["Learner.fit alone"].append(alone(hidden))
        server.do("play")
        rates["no tab"].append(server.rate())
        with reader(server):
            rates["a tab that only reads"].append(server.rate())
        with tab(server, browser) as page:
            page.wait_for_timeout(1000)
            rates["the page"].append(server.rate())
            frames = page.evaluate(COUNT_FRAMES, SECONDS)
            moves = page.evaluate(WATCH_BARS, MOVES)
            page.locator("#play").click()
            page.wait_for_timeout(1000)
            first = page.evaluate(FIRST_MOVE)
        for name, values in zip(seen, [[first], *moves, *([value] for value in frames)], strict=True):
            seen[name] += values
    server.do("pause")
    return rates, seen


def told(name: str, rates: dict[str, list[float]], seen: dict[str, list[float]]) -> list[str]:
    """What was measured, in lines."""
    slow = statistics.quantiles(seen["shown"], n=100)[98]
    lines = [
        f"{name}, MNIST, batches of 256, as fast as it goes; {len(seen['shown'])} moves of the pen",
        f"  from Play to new pictures  {measure.spread(seen['first'], ms)}",
        f"  from a move to the bars    {measure.spread(seen['changed'], ms)}",
        f"  to the end of their frame  {measure.spread(seen['shown'], ms)}; 99 in 100 below {ms(slow)}",
        f"  weight pictures a second   {measure.spread(seen['pictures'], '{:.1f}'.format)}",
        f"  browser's frames a second  {measure.spread(seen['frames'], '{:.1f}'.format)}",
        f"  longest frame of a round   {measure.spread(seen['longest'], ms)}",
    ]
    for way, values in rates.items():
        share = measure.spread([v / n for v, n in zip(values, rates["no tab"], strict=True)], "{:.2f}".format)
        lines.append(f"  {way:26} {measure.spread(values, thousands)} images a second; {share} of no tab")
    return lines


def main() -> None:
    args = measure.options(__doc__, 5)
    os.environ["BYHAND_DATA"] = str(measure.data_folder())
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    lines = [
        measure.versions("byhand", "torch", "starlette", "uvicorn"),
        f"median (least to most), {args.rounds} rounds",
    ]
    with Server("mnist") as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        lines.append(f"Chromium {browser.version}, 1400×900, software rendering, on the same cores")
        lines.append(f"from the command to the address {server.started:.1f} s")
        for name, hidden in MODELS.items():
            lines += ["", *told(name, *measured(server, browser, hidden, args.rounds))]
        lines += ["", script(browser, args.rounds)]
        browser.close()
    measure.report("play", lines, args.save)


if __name__ == "__main__":
    main()
