"""How the page looks: legible in the light and in the dark, from a phone to a wide screen, for ears and for keys."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.play._hand import THREE, stroke

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "play"
WRITE = "BYHAND_WRITE_PICTURES" in os.environ  # read before the tests' home takes such names away
WIDTHS = [360, 800, 1400]
SCHEMES = ["light", "dark"]

FAINT = """() => {
    const part = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    const canvas = new OffscreenCanvas(1, 1), context = canvas.getContext("2d", { willReadFrequently: true });
    const over = (colours) => {  // from the lowest to the highest
        context.clearRect(0, 0, 1, 1);
        for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
        return context.getImageData(0, 0, 1, 1).data;
    };
    const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const text = walk.currentNode.textContent.trim(), element = walk.currentNode.parentElement;
        if (!text || !element.checkVisibility({ visibilityProperty: true })) continue;
        if (element.closest(":disabled, option")) continue;
        const style = getComputedStyle(element), grounds = [];
        for (let up = element; up; up = up.parentElement) grounds.unshift(getComputedStyle(up).backgroundColor);
        const ground = over(grounds);
        const colour = element.namespaceURI.endsWith("svg") ? style.fill : style.color;
        const ink = over([`rgb(${ground.slice(0, 3).join(" ")})`, colour]);
        const [high, low] = [light(ink), light(ground)].sort((a, b) => b - a);
        const ratio = (high + 0.05) / (low + 0.05), large = parseFloat(style.fontSize) >= 24;
        if (ratio < (large ? 3 : 4.5)) found.push(`${text.slice(0, 30)}: ${ratio.toFixed(2)}`);
    }
    return found;
}"""

NAMELESS = """() => [...document.querySelectorAll("button, a, input, select, canvas, svg[role], summary, [tabindex]")]
    .filter((one) => one.checkVisibility() && one.type !== "file")
    .filter((one) => !one.ariaLabel && !one.labels?.[0]?.textContent.trim() && !one.getAttribute("aria-labelledby"))
    .filter((one) => !one.textContent.trim() || ["CANVAS", "SELECT"].includes(one.tagName))
    .map((one) => one.outerHTML.slice(0, 100))"""


@pytest.fixture
def shown(playing_digits: tuple[str, Any], opened: Callable[..., Any]) -> Callable[..., Any]:
    """A function that opens the page on digits, drawn upon and trained a little."""

    def show(**options: Any) -> Any:
        url, cookies = playing_digits
        page = opened(url, storage_state=cookies, **options)
        page.locator("#step").click()
        page.locator("#worst li").first.wait_for()
        stroke(page, THREE)
        return page

    return show


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_a_phone_and_a_wide_screen(shown: Callable[..., Any], width: int, scheme: str) -> None:
    page = shown(width=width, color_scheme=scheme)
    assert page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_word_stands_out_from_its_ground(shown: Callable[..., Any], scheme: str) -> None:
    page = shown(color_scheme=scheme)
    assert page.evaluate(FAINT) == []
    page.evaluate("document.getElementById('title').style.color = 'rgb(128 128 128 / 0.5)'")
    assert len(page.evaluate(FAINT)) == 1


def test_all_that_can_be_used_has_a_name(shown: Callable[..., Any]) -> None:
    assert shown().evaluate(NAMELESS) == []


def test_the_tab_key_reaches_everything_in_order(shown: Callable[..., Any]) -> None:
    page = shown()
    page.locator(".skip").focus()
    reached: list[str] = []
    while (
        name := page.evaluate("(document.activeElement.id || document.activeElement.className)")
    ) != "skip" or not reached:
        reached.append(name)
        assert len(reached) < 200
        page.keyboard.press("Tab")
    wanted = ["copy", "pad", "play", "step", "reset", "speed", "lr-slider", "lr", "hidden", "shuffle", "momentum"]
    wanted += ["broadcast"]
    assert [name for name in reached if name in wanted] == wanted


def test_nothing_moves_for_those_who_do_not_want_it(shown: Callable[..., Any]) -> None:
    page = shown(reduced_motion="reduce")
    moving = (
        "[...document.querySelectorAll('*')].filter((one) => getComputedStyle(one).transitionDuration !== '0s').length"
    )
    assert page.evaluate(moving) == 0


def test_targets_are_large_enough_for_a_finger(shown: Callable[..., Any]) -> None:
    page = shown(width=360, has_touch=True, is_mobile=True)
    small = """() => [...document.querySelectorAll("button, .button, select, summary, label.switch, .choices label")]
        .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 43.5)
        .map((one) => one.outerHTML.slice(0, 80) + one.getBoundingClientRect().height)"""
    assert page.evaluate(small) == []


@pytest.mark.full
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_pictures_of_the_documentation_can_be_made(
    play: Callable[..., str], opened: Callable[..., Any], mnist_path: Path, scheme: str
) -> None:
    """With BYHAND_WRITE_PICTURES=1 they are written to docs/play, to be looked at by a person."""
    page = opened(play("mnist", data=mnist_path), width=1400, color_scheme=scheme)
    page.locator("#stop_after").select_option("5")
    page.locator("#speed").select_option("0")
    stroke(page, THREE)
    page.locator("#ceiling-note:empty").wait_for(state="attached", timeout=120_000)
    page.locator("#play").click()
    page.locator("#play:text-is('Pause')").wait_for()
    page.locator("#play:text-is('Play')").wait_for(timeout=120_000)
    assert page.locator(".level-name", has_text="linear ceiling 92.").count() == 1
    assert page.locator("#draw-view .answer").inner_text() == "3"
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(500)  # charts are drawn anew at the next frame
        write(f"{width}-{scheme}", width, page.screenshot(full_page=True))
    if scheme == "light":  # the upper part alone, for the README
        page.set_viewport_size({"width": 1400, "height": 980})
        page.wait_for_timeout(500)
        write("screen-light", 1400, page.screenshot())


def write(name: str, width: int, screenshot: bytes) -> None:
    """Keep a picture if that was asked for; one must be there in any case."""
    file = PICTURES / f"{name}.png"
    picture = Image.open(io.BytesIO(screenshot))
    assert picture.width == width
    if WRITE:
        PICTURES.mkdir(exist_ok=True)
        picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)
    assert file.is_file()
