"""The page as a person uses it, in a real browser, against the real command."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
from PIL import Image, ImageDraw

from byhand.commands.train import app as train_app
from tests.play._hand import ZERO, stroke

Play = Callable[..., str]
Open = Callable[..., Any]


def number(page: Any, name: str) -> float:
    return float(page.locator(f"#now-{name}").inner_text().replace(",", ""))


def until(page: Any, expression: str, arg: Any = None) -> None:
    """Wait until something is true in the page; its policy forbids the waiting that playwright has for that."""
    for _ in range(1200):
        if page.evaluate(expression, arg):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not within a minute: {expression}")


def value(page: Any, chart: str, name: str) -> float:
    """What a chart's readout says of a series, as a number."""
    text = page.locator(f"#{chart}-chart .key", has_text=name).locator("b").inner_text()
    return float(text.removesuffix("%"))


ANEW = """async () => {
    const controls = { hidden: [], lr: null, batch_size: 256, init: "zeros", shuffle: true, scaled: true, momentum: 0,
        weight_decay: 0, epsilon: 0, metric: "rows", stop_after: 0, speed: 100 };
    const { send } = await import("/stream.js");
    await send({ do: "set", controls });
    return (await send({ do: "reset" })).ok;
}"""


@pytest.fixture
def digits(playing_digits: tuple[str, Any], opened: Open) -> Any:
    """The page on digits, as it is at the start."""
    url, cookies = playing_digits
    page = opened(url, storage_state=cookies)
    assert page.evaluate(ANEW)
    until(page, "document.getElementById('now-step').textContent === '0'")
    return page


def test_a_linear_model_is_trained_before_ones_eyes(digits: Any) -> None:
    page = digits
    assert "digits" in page.locator("#title").inner_text()
    assert page.locator("#weights-grid canvas").count() in (0, 10)
    page.locator("#speed").select_option("0")
    page.locator("#play").click()
    until(page, "Number(document.getElementById('now-step').textContent.replace(',', '')) > 200")
    assert page.locator("#play").inner_text() == "Pause"
    page.locator("#play").click()
    until(page, "document.getElementById('play').textContent === 'Play'")
    assert page.locator("#weights-grid canvas").count() == 10
    assert value(page, "accuracy", "validation") > 80
    assert value(page, "loss", "training") < 1
    assert page.locator("#confusion tbody tr").count() == 10
    assert 1 <= page.locator("#worst li").count() <= 12
    assert (
        re.search(r"chance 1\d", page.locator("#accuracy-chart").inner_text() or "")
        or page.locator(".level-name", has_text="chance").count()
    )


def test_paused_it_stands_still_and_a_step_is_one_step(digits: Any) -> None:
    page = digits
    page.locator("#step").click()
    until(page, "document.getElementById('now-step').textContent === '1'")
    page.locator("#step").click()
    until(page, "document.getElementById('now-step').textContent === '2'")
    page.wait_for_timeout(300)
    assert number(page, "step") == 2
    page.locator("#reset").click()
    until(page, "document.getElementById('now-step').textContent === '0'")


def test_the_keyboard_alone_suffices(digits: Any) -> None:
    page = digits
    page.keyboard.press("Alt+KeyP")
    until(page, "document.getElementById('play').textContent === 'Pause'")
    page.keyboard.press("Alt+KeyP")
    until(page, "document.getElementById('play').textContent === 'Play'")
    chart = page.locator("#loss-chart svg")
    chart.focus()
    page.keyboard.press("Home")
    page.locator("#loss-chart .readout span", has_text=re.compile("^epoch 0$")).wait_for()
    page.locator("#play").focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize(
    ("field", "act", "name", "word"),
    [
        ("lr", "fill:0.05", "lr", "0.05"),
        ("batch_size", "select:64", "batch_size", "64"),
        ("init", "select:normal", "init", "normal:1"),
        ("hidden", "fill:12", "hidden", "12"),
        ("hidden", "fill:12,7", "hidden", "12-7"),
        ("shuffle", "click", "shuffle", "false"),
        ("scaled", "click", "scaled", "false"),
        ("momentum", "fill:0.9", "momentum", "0.9"),
        ("weight_decay", "select:0.001", "weight_decay", "0.001"),
        ("stop_after", "select:5", "stop_after", "5"),
        ("epsilon", "select:1e-8", "epsilon", "1e-8"),
        ("broadcast", "click", "metric", "broadcast"),
        ("speed", "select:10", "speed", "10"),
    ],
)
def test_each_control_is_taken_and_stands_in_the_address(
    digits: Any, field: str, act: str, name: str, word: str
) -> None:
    page = digits
    kind, _, what = act.partition(":")
    target = page.locator(f"#{field}")
    if kind == "fill":
        target.fill(what)
        target.blur()
    elif kind == "select":
        target.select_option(what)
    else:
        target.click()
    until(page, "([name, word]) => new URLSearchParams(location.hash.slice(1)).get(name) === word", [name, word])
    page.locator("#step").click()
    until(page, "document.getElementById('now-step').textContent === '1'")


def test_the_address_brings_back_settings_and_drawing(play: Play, opened: Open) -> None:
    url = play("digits")
    page = opened(url)
    page.locator("#batch_size").select_option("32")
    stroke(page, ZERO)
    until(page, "location.hash.includes('ink=') && location.hash.includes('batch_size=32')")
    words = parse_qs(page.url.partition("#")[2])
    assert words["batch_size"] == ["32"]
    address, label = page.url, page.evaluate("document.querySelector('#draw-view').innerText")
    page.goto("about:blank")
    page.goto(address)
    until(page, "document.getElementById('batch_size').value === '32'")
    until(page, "(label) => document.querySelector('#draw-view').innerText === label", label)


def test_two_tabs_show_the_same_training_and_one_may_close(play: Play, opened: Open) -> None:
    page = opened(play("digits"))
    other = page.context.new_page()
    other.goto(page.url)
    until(other, "document.getElementById('title').textContent.includes('digits')")
    other.locator("#play").click()
    until(page, "document.getElementById('play').textContent === 'Pause'")
    other.close()
    before = number(page, "step")
    until(
        page, "(step) => Number(document.getElementById('now-step').textContent.replace(',', '')) > step + 20", before
    )


def test_a_rate_that_breaks_it_is_said_and_reset_mends_it(digits: Any) -> None:
    page = digits
    page.locator("#lr").fill("1000000")
    page.locator("#lr").blur()
    page.locator("#weight_decay").select_option("0.1")
    page.locator("#speed").select_option("0")
    page.locator("#play").click()
    until(page, "document.getElementById('notice').textContent.includes('the loss became')")
    page.locator("#reset").click()
    until(page, "document.getElementById('notice').hidden")


def test_a_saved_run_is_one_that_can_be_judged(play: Play, opened: Open, tmp_path: Path) -> None:
    page = opened(play("digits"))
    page.locator("#step").click()
    until(page, "document.getElementById('now-step').textContent === '1'")
    page.locator("#save").click()
    until(page, "document.getElementById('notice').textContent.includes('byhand evaluate')")
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "run.json").exists()
    assert folder.name in page.locator("#notice").inner_text()


def test_a_run_is_shown_with_its_own_weights_and_taken_along(play: Play, opened: Open, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="0"):
        train_app(
            ["digits", "--model", "mlp", "--hidden", "12", "--epochs", "20", "--out", str(tmp_path / "run"), "--quiet"]
        )
    page = opened(play(str(tmp_path / "run")))
    stroke(page, ZERO)
    until(page, "/\\d+(\\.\\d)? ?%/.test(document.querySelector('#draw-view').innerText)")
    with page.expect_download() as told:
        page.locator("#export").click()
    assert told.value.suggested_filename == "digit.html"
    text = Path(told.value.path()).read_text("utf-8")
    assert "<!DOCTYPE html>" in text
    assert len(text) < 300_000


def test_a_picture_of_ones_own_is_centred_and_read(digits: Any, tmp_path: Path) -> None:
    """A dark stroke on grey paper, off its centre, as a camera would have it."""
    page = digits
    photo = Image.new("L", (300, 200), 190)
    ImageDraw.Draw(photo).line([(40, 30), (45, 95)], fill=40, width=9)
    photo.save(tmp_path / "photo.png")
    page.locator("#draw input[type=file]").set_input_files(tmp_path / "photo.png")
    until(page, "document.getElementById('notice').textContent.includes('centred by its mass in 8×8')")
    told = page.locator("#notice").inner_text()
    assert told.startswith("photo.png: inverted, because its ink is dark on light")
    page.locator("#draw-view .why", has_text="Red speaks for it").wait_for()


def test_what_is_no_picture_is_said(digits: Any, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("no picture")
    digits.locator("#draw input[type=file]").set_input_files(tmp_path / "words.png")
    until(digits, "document.getElementById('notice').textContent.startsWith('words.png: ')")


def test_data_of_ones_own_with_any_classes_and_any_shape(play: Play, opened: Open, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    images = np.zeros((400, 12, 20), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 + 3 * label : 4 + 3 * label, 4:16] = rng.integers(150, 256)
    np.savez(tmp_path / "lines.npz", x_train=images, y_train=labels, x_test=images[:50], y_test=labels[:50])
    page = opened(play(str(tmp_path / "lines.npz")))
    page.locator("#speed").select_option("0")
    page.locator("#play").click()
    until(page, "document.querySelectorAll('#weights-grid canvas').length === 3")
    until(page, "document.querySelectorAll('#confusion tbody tr').length === 3")
    stroke(page, [(0.2, 0.25), (0.8, 0.25)])
    until(page, "document.querySelector('#draw-view .answer').textContent === '0'")
    assert page.evaluate(
        "(({ width, height }) => [width, height])(document.querySelector('#weights-grid canvas'))"
    ) == [20, 12]
    pad = page.locator("#draw-view canvas.pad").bounding_box()
    assert pad["width"] / pad["height"] == pytest.approx(20 / 12, rel=0.02)


@pytest.mark.parametrize(
    ("preset", "printed", "low", "high"),
    [
        ("first-seed", "validation", 50, 66),
        ("first-seed-fixed", "validation", 90, 93),
        ("second-seed", "as the program prints it", 60, 69),
        ("second-seed-fixed", "validation", 91, 93),
    ],
)
@pytest.mark.full
def test_both_seeds_programs_are_replayed_and_put_right(
    play: Play, opened: Open, mnist_path: Path, preset: str, printed: str, low: float, high: float
) -> None:
    page = opened(play("mnist", data=mnist_path))
    page.locator(f"[data-id={preset}]").click()
    page.locator("#speed").select_option("0")
    until(page, "document.getElementById('play').textContent === 'Pause'")
    until(page, "document.getElementById('play').textContent === 'Play'")
    assert low < value(page, "accuracy", printed) < high
