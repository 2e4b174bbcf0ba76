"""The report in a browser, opened from the disk without a network: as it is seen, on a phone, in the dark, on paper."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from byhand.evaluate.report import write
from byhand.evaluate.results import Evaluation


@pytest.fixture
def opened(open_address: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """A function that opens an evaluation's page without a network."""

    def open_page(evaluation: Evaluation, width: int = 1280, **options: Any) -> Any:
        return open_address(write(evaluation, tmp_path).as_uri(), width=width, offline=True, **options)

    return open_page


def fits(page: Any) -> bool:
    """No sideways scrolling of the page; tables may scroll in a box of their own."""
    return page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth")


def test_the_verdict_and_every_heading_can_be_seen(opened: Callable[..., Any], full: Evaluation) -> None:
    page = opened(full)
    assert page.get_by_text(full.verdict).is_visible()
    assert page.get_by_role("heading", level=1).inner_text() == full.title
    headings = page.get_by_role("heading", level=2)
    assert headings.count() == 14
    assert all(headings.nth(i).is_visible() for i in range(14))
    for link in page.get_by_role("navigation").get_by_role("link").all():
        link.click()
        assert page.evaluate("document.querySelector(':target') !== null")


def test_every_picture_has_a_size_and_a_label(opened: Callable[..., Any], full: Evaluation) -> None:
    page = opened(full)
    pictures = page.locator("img, svg, [role=img]").evaluate_all(
        """all => all.map(one => {
            const box = one.getBoundingClientRect();
            return [one.getAttribute("alt") || one.getAttribute("aria-label"), box.width, box.height,
                    one.tagName !== "IMG" || one.naturalWidth > 0];
        })"""
    )
    assert len(pictures) > 40
    assert [one for one in pictures if not one[0] or one[1] <= 0 or one[2] <= 0 or not one[3]] == []


def test_bars_are_as_long_as_their_numbers(opened: Callable[..., Any], full: Evaluation) -> None:
    page = opened(full)
    share = page.locator("li.model .track").evaluate(
        "track => track.querySelector('.fill').offsetWidth / track.clientWidth"
    )
    assert share == pytest.approx(full.accuracy.value, abs=0.01)


def test_the_numbers_of_the_curves_are_text_in_the_page_s_font(opened: Callable[..., Any], full: Evaluation) -> None:
    page = opened(full)
    label = page.locator("svg text", has_text="epoch").first
    assert label.is_visible()
    fonts = "one => [getComputedStyle(one).fontFamily, getComputedStyle(document.body).fontFamily]"
    own, body = label.evaluate(fonts)
    assert own == body


@pytest.mark.parametrize("width", [1280, 768, 360])
def test_nothing_makes_the_page_scroll_sideways(
    opened: Callable[..., Any], full: Evaluation, minimal: Evaluation, width: int
) -> None:
    assert fits(opened(full, width))
    assert fits(opened(minimal, width))


def test_long_names_and_many_classes_fit_a_phone(
    opened: Callable[..., Any], make_evaluation: Callable[..., Evaluation]
) -> None:
    names = tuple(f"{i}-" + "unbreakable" * 9 for i in range(24))
    long = make_evaluation(classes=names)
    assert fits(opened(replace(long, title=names[0], verdict=names[1] * 5, run=names[2]), 360))
    assert fits(opened(make_evaluation(classes=tuple(map(str, range(60)))), 360))


def test_hostile_names_do_nothing(opened: Callable[..., Any], make_evaluation: Callable[..., Evaluation]) -> None:
    name = "<img src=x onerror=\"document.title='taken'\">"
    page = opened(make_evaluation(classes=(name, "\"><script>document.title='taken'</script>")))
    assert "taken" not in page.title()
    assert page.get_by_text(name).first.is_visible()


def grounds(page: Any) -> list[int]:
    """How light page and text are, each from 0 to 255."""
    rgb = "one => getComputedStyle(one).%s.match(/\\d+/g).slice(0, 3).map(Number)"
    body, text = page.locator("body"), page.locator("svg text").first
    return [round(sum(one.evaluate(rgb % what)) / 3) for one, what in ((body, "backgroundColor"), (text, "fill"))]


def test_dark_is_dark_and_its_curves_are_light(opened: Callable[..., Any], full: Evaluation) -> None:
    ground, text = grounds(opened(full, color_scheme="dark"))
    assert ground < 50
    assert text > 200
    ground, text = grounds(opened(full, color_scheme="light"))
    assert ground > 240
    assert text < 60


def test_paper_is_white_without_links_even_for_who_prefers_the_dark(
    opened: Callable[..., Any], full: Evaluation
) -> None:
    page = opened(full, 700, color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.get_by_role("navigation").is_visible()
    assert page.locator("body").evaluate("one => getComputedStyle(one).backgroundColor") == "rgba(0, 0, 0, 0)"
    assert grounds(page)[1] < 60
    assert fits(page)
    assert page.locator("figure").first.evaluate("one => getComputedStyle(one).breakInside") == "avoid"
    assert page.pdf(format="A4").startswith(b"%PDF")
