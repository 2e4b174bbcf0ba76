"""The exported page as a person meets it: drawn on by mouse, finger and keyboard, light and dark, small and wide."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from byhand.data.drawing import as_mnist
from byhand.export.digit_page import export
from byhand.model import MLP, LinearClassifier
from byhand.runs import load_run

VIEW = """
() => {
  const root = document.getElementById("draw");
  root.replaceChildren();
  window.view = drawView(root, {...told, network: network({sizes: told.sizes, weights: unpacked(told), scaled: true})});
}
"""
FRAME = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"

THREE = [(0.3, 0.25), (0.5, 0.15), (0.68, 0.3), (0.48, 0.47), (0.7, 0.65), (0.5, 0.85), (0.28, 0.75)]


def draw(page: Any, points: list[tuple[float, float]] = THREE) -> None:
    """A stroke of the mouse."""
    box = page.locator("canvas.pad").bounding_box()
    for i, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5 if i else 1)
        if not i:
            page.mouse.down()
    page.mouse.up()
    page.evaluate(FRAME)


def answer(page: Any) -> str:
    return page.locator(".answer").inner_text()


def shares(page: Any) -> list[str]:
    return page.locator(".bars .share").all_inner_texts()


def fits(page: Any) -> bool:
    return page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth")


def inked(page: Any) -> int:
    """How many pixels of the raw picture have ink."""
    return page.evaluate(
        """() => { const c = document.querySelector(".sees canvas");
        const copy = new OffscreenCanvas(c.width, c.height).getContext("2d", { willReadFrequently: true });
        copy.drawImage(c, 0, 0);
        const { data } = copy.getImageData(0, 0, c.width, c.height);
        return data.filter((v, i) => i % 4 === 0 && v).length; }"""
    )


def test_the_default_mlp_reads_nine_in_ten_drawn_digits(
    opened: Callable[..., Any], mlp_run: Path, digits: list[dict[str, Any]], tmp_path: Path
) -> None:
    """All of them, of every kind; as they are drawn, not centred, it reads half of those off the middle at most."""
    file = tmp_path / "digit.html"
    assert export(mlp_run, file) < 1e-6
    assert file.stat().st_size < 300_000
    page = opened(file)
    page.evaluate(VIEW)
    told = page.evaluate(
        """async (digits) => { const all = [];
        for (const {strokes, width} of digits) {
          view.set({strokes, pen: width, why: null});
          await new Promise(requestAnimationFrame);
          all.push([...document.querySelectorAll(".sees figcaption bdi")].map((one) => one.textContent[0]));
        }
        return all; }""",
        digits,
    )
    right: dict[str, list[tuple[bool, bool]]] = {}
    for digit, (raw, centred) in zip(digits, told, strict=True):
        right.setdefault(digit["kind"], []).append((raw == digit["digit"], centred == digit["digit"]))
    share = {kind: np.mean(both, axis=0) for kind, both in right.items()}
    assert len(digits) >= 60
    assert np.mean([one for _, one in share.values()]) >= 0.9, share
    assert min(one for _, one in share.values()) >= 0.8, share
    for kind in ("off-centre", "small"):
        assert share[kind][0] < 0.5, share


def test_the_page_says_what_the_run_says(opened: Callable[..., Any], mlp_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "digit.html"
    export(mlp_run, file)
    page = opened(file)
    draw(page)
    page.evaluate(VIEW)
    told = page.evaluate(
        """async (points) => { view.pad.strokes = [points]; await new Promise(requestAnimationFrame);
        const {ink, inkWidth: w, inkHeight: h} = view.pad;
        const n = network({sizes: told.sizes, weights: unpacked(told), scaled: true});
        const { probs } = n.predict(centredPicture(ink, w, h, 28, 20));
        return { ink: [...ink.map((one) => Math.round(255 * one))], probs: [...probs] }; }""",
        [list(point) for point in THREE],
    )
    model, record = load_run(mlp_run)
    image = as_mnist(np.array(told["ink"], np.uint8).reshape(280, 280)).image
    probs = torch.softmax(model(torch.as_tensor(image).reshape(1, -1)), 1)[0]
    assert told["probs"] == pytest.approx(probs.tolist(), abs=1e-5)
    assert answer(page) == record["data"]["classes"][int(probs.argmax())] == "3"


def test_drawing_moves_the_bars_and_undo_takes_it_back(page_of: Callable[..., Any], mlp: MLP) -> None:
    page = page_of(mlp)
    assert answer(page) == "?"
    assert set(shares(page)) == {"–"}
    undo, redo, clear = (page.get_by_role("button", name=name) for name in ("Undo", "Redo", "Clear"))
    assert undo.is_disabled()
    assert clear.is_disabled()
    draw(page)
    one = shares(page)
    assert sum(float(re.sub(r"[^\d.]", "", share)) for share in one) == pytest.approx(100, abs=1)
    assert answer(page) in "0123456789"
    draw(page, [(0.1, 0.9), (0.9, 0.9)])
    two = shares(page)
    assert two != one
    undo.click()
    page.evaluate(FRAME)
    assert shares(page) == one
    redo.click()
    page.evaluate(FRAME)
    assert shares(page) == two
    clear.click()
    page.evaluate(FRAME)
    assert answer(page) == "?"
    page.locator("canvas.pad").press("Control+z")
    page.evaluate(FRAME)
    assert shares(page) == two


def test_the_bars_are_as_long_as_their_numbers(page_of: Callable[..., Any], mlp: MLP) -> None:
    page = page_of(mlp)
    draw(page)
    page.wait_for_timeout(150)
    rows = page.locator(".bars li").evaluate_all(
        """rows => rows.map((row) => [row.querySelector(".fill").getBoundingClientRect().width,
        row.querySelector(".track").clientWidth, row.querySelector(".share").textContent])"""
    )
    for fill, track, share in rows:
        assert 100 * fill / track == pytest.approx(float(share[:-2].strip(">")), abs=0.1)


def test_the_pen_makes_the_whole_drawing_wider(page_of: Callable[..., Any], linear: LinearClassifier) -> None:
    page = page_of(linear)
    draw(page)
    before = inked(page)
    page.get_by_label("Pen").fill("0.16")
    page.evaluate(FRAME)
    assert inked(page) > 1.2 * before


def test_the_keyboard_alone_suffices(page_of: Callable[..., Any], mlp: MLP) -> None:
    page = page_of(mlp)
    page.keyboard.press("Tab")
    pad = page.locator("canvas.pad")
    assert pad.evaluate("one => one === document.activeElement")
    page.keyboard.press("ArrowDown")
    page.evaluate(FRAME)
    assert inked(page) == 0  # the pen is not down yet
    page.keyboard.press("Space")
    page.evaluate(FRAME)
    dot = inked(page)
    assert dot > 0
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("ArrowRight")
    page.evaluate(FRAME)
    line = inked(page)
    assert line > dot
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.evaluate(FRAME)
    assert inked(page) == line  # lifted
    said = page.locator("[role=status]")
    said.filter(has_text="It reads").wait_for(state="attached")
    assert said.inner_text().startswith(f"It reads {answer(page)}")
    page.keyboard.press("Backspace")
    page.evaluate(FRAME)
    assert inked(page) == 0
    page.keyboard.press("Control+y")
    page.evaluate(FRAME)
    assert inked(page) == line
    page.keyboard.press("Escape")
    page.evaluate(FRAME)
    assert inked(page) == 0
    names = [pad.get_attribute("aria-label")]
    for _ in range(3):  # past the buttons that can be used now, and the pen, to the class that is explained
        page.keyboard.press("Tab")
        names.append(page.evaluate("(document.activeElement.labels?.[0] ?? document.activeElement).innerText.trim()"))
    assert names == ["Drawing pad", "Undo", "Pen", "likeliest"]


def test_a_finger_draws_and_the_page_stays_where_it_is(page_of: Callable[..., Any], mlp: MLP) -> None:
    page = page_of(mlp, width=360, has_touch=True, is_mobile=True)
    box = page.locator("canvas.pad").bounding_box()
    cdp = page.context.new_cdp_session(page)

    def touch(kind: str, *at: float) -> None:
        points = [{"x": box["x"] + at[0] * box["width"], "y": box["y"] + at[1] * box["height"]}] if at else []
        cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0.5, 0.9)
    for step in range(1, 9):
        touch("touchMove", 0.5, 0.9 - step / 10)
    touch("touchEnd")
    page.evaluate(FRAME)
    assert page.evaluate("scrollY") == 0
    assert inked(page) > 50
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, .choices bdi, input[type=range], summary")]
        .filter((one) => one.getBoundingClientRect().height < 44 || one.getBoundingClientRect().width < 44)
        .map((one) => one.outerHTML)"""
    )
    assert small == []


def test_why_shows_what_speaks_for_a_class_and_against_it(
    page_of: Callable[..., Any], linear: LinearClassifier, mlp: MLP
) -> None:
    for model, words in ((linear, "Digit × weights"), (mlp, "Gradient × input")):
        page = page_of(model)
        draw(page)
        why = page.locator(".why")
        assert words in why.inner_text()
        assert why.locator("p b").inner_text() == answer(page)
        for label in ("3", "8"):
            why.get_by_label(label, exact=True).check()
            assert why.locator("p b").inner_text() == label
            sums = [why.locator(f"dd.{key}").inner_text() for key in ("for", "against", "bias", "score")]
            speaks, against, bias, score = (float(text.replace("−", "-")) for text in sums)
            assert speaks > 0 > against
            assert speaks + against + bias == pytest.approx(score, abs=0.2)
            reds, blues = why.locator("canvas").evaluate(
                """one => {
                const copy = new OffscreenCanvas(one.width, one.height).getContext("2d", { willReadFrequently: true });
                copy.drawImage(one, 0, 0);
                const { data } = copy.getImageData(0, 0, one.width, one.height);
                let [reds, blues] = [0, 0];
                for (let i = 0; i < data.length; i += 4) {
                  reds += data[i] > data[i + 2];
                  blues += data[i] < data[i + 2];
                }
                return [reds, blues]; }"""
            )
            assert reds > 10
            assert blues > 10


def test_a_view_can_be_set_and_asked_and_shows_pictures_from_elsewhere(page_of: Callable[..., Any], mlp: MLP) -> None:
    page = page_of(mlp)
    page.evaluate(VIEW)
    state = {"strokes": [[[0.2, 0.3], [0.8, 0.3]], [[0.5, 0.5]]], "pen": 0.05, "why": 4}
    page.evaluate("(state) => view.set(state)", state)
    page.evaluate(FRAME)
    assert page.evaluate("view.get()") == state
    hostile = {"strokes": [[[7, -3], [None, 0], "x", [1, 2, 3]], 5, [], "no"], "pen": 99, "why": 1000}
    page.evaluate("(state) => view.set(state)", hostile)
    page.evaluate(FRAME)
    assert page.evaluate("view.get()") == {"strokes": [[[1, 0]]], "pen": 0.16, "why": None}
    image = "Uint8Array.from({length: 784}, (_, i) => i % 256)"
    page.evaluate(f"view.showImage({{raw: {image}, centred: {image}}})")
    page.evaluate(FRAME)
    assert inked(page) == 780  # all but the zeros
    assert page.evaluate("view.get().strokes") == []
    draw(page)
    assert inked(page) < 300


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 800, 1400])
def test_nothing_makes_the_page_scroll_sideways(
    page_of: Callable[..., Any], linear: LinearClassifier, width: int, scheme: str
) -> None:
    page = page_of(linear, width=width, color_scheme=scheme)
    draw(page)
    assert fits(page)
    ground, text = page.locator("body").evaluate(
        """one => ["backgroundColor", "color"].map((what) => getComputedStyle(one)[what].match(/\\d+/g).slice(0, 3)
        .reduce((a, b) => a + Number(b), 0) / 3)"""
    )
    assert (ground > 240 and text < 60) if scheme == "light" else (ground < 50 and text > 200)


def test_other_data_have_their_own_classes_shape_and_pad(page_of: Callable[..., Any]) -> None:
    names = [
        "<img src=x onerror=\"document.title='taken'\">",
        "</script><b>",
        *(f"{i} " + "long" * 30 for i in range(28)),
    ]
    model = MLP(40 * 20, [8], 30, generator=torch.Generator().manual_seed(0))
    page = page_of(model, names, None, shape=(40, 20), width=360)
    draw(page)
    assert "taken" not in page.title()
    assert fits(page)
    assert page.locator(".bars .name").all_inner_texts() == names
    assert page.locator(".sees figure").count() == 1
    box = page.locator("canvas.pad").bounding_box()
    assert box["height"] / box["width"] == pytest.approx(2, abs=0.01)
    assert inked(page) > 20


def test_motion_is_left_out_where_it_is_not_wanted(page_of: Callable[..., Any], linear: LinearClassifier) -> None:
    duration = "one => getComputedStyle(one).transitionDuration"
    assert page_of(linear).locator(".fill").first.evaluate(duration) != "0s"
    assert page_of(linear, reduced_motion="reduce").locator(".fill").first.evaluate(duration) == "0s"
