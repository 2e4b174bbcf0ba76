"""The report as text: what it says of a full evaluation and of a bare one, and what hostile names become."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from byhand.errors import DataError
from byhand.evaluate.report import render, write
from byhand.evaluate.results import Chance, ErrorParts, Evaluation

HEADINGS = [
    "Verdict",
    "The ladder",
    "Where the missing points went",
    "Training",
    "Overfitting",
    "Class by class",
    "Confusion matrix",
    "Most confused pairs",
    "Worst mistakes",
    "Calibration",
    "Weights as pictures",
    "Suspected wrong labels",
    "Would more images help?",
    "How it was made",
]


class Page(HTMLParser):
    """A page's elements with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self._text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.text = " ".join(" ".join(self._text).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self._text.append(data)
        if self._open and self._open[-1] == "h2":
            self.headings.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


def is_inert(page: Page) -> bool:
    """Nothing that runs, and no address but of data and of the page's own parts."""
    attributes = [(tag, name, value or "") for tag, attrs in page.elements for name, value in attrs.items()]
    return (
        not {tag for tag, _ in page.elements} & {"script", "iframe", "object", "embed", "link", "base", "form"}
        and not [name for _, name, _ in attributes if name.startswith("on")]
        and all(value.startswith("data:image/png;base64,") for _, name, value in attributes if name == "src")
        and all(value.startswith("#") for _, name, value in attributes if "href" in name)
        and not [
            value for _, name, value in attributes if name == "style" and re.search(r"url\((?!#)|expression", value)
        ]
    )


def test_every_section_stands_there_in_order(full: Evaluation) -> None:
    page = Page(render(full))
    assert page.headings == HEADINGS
    assert full.verdict in page.text
    for said in (*full.advice, *full.alarms, full.title, full.run, "opened once for this run"):
        assert said in page.text
    targets = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
    links = [(attrs["href"] or "")[1:] for attrs in page.all("a")]
    assert len(links) == len(HEADINGS) - 1
    assert set(links) <= targets


def test_the_page_is_inert_and_says_so_to_the_browser(full: Evaluation) -> None:
    page = Page(render(full))
    assert is_inert(page)
    policies = [attrs["content"] for attrs in page.all("meta") if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert not re.search(r"url\(|@import", (resources.files("byhand.evaluate") / "report.css").read_text("utf-8"))


def test_pictures_have_words_and_tables_have_heads(full: Evaluation) -> None:
    page = Page(render(full))
    pictures = page.all("img") + [attrs for _, attrs in page.elements if attrs.get("role") == "img"]
    assert len(pictures) > 40
    assert all(attrs.get("alt") or attrs.get("aria-label") for attrs in pictures)
    assert len(page.all("svg")) == 4
    assert all(attrs.get("scope") in ("col", "row") for attrs in page.all("th"))
    assert page.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_what_is_missing_is_said_with_its_reason(minimal: Evaluation) -> None:
    page = Page(render(minimal))
    assert page.headings == HEADINGS
    for reason in minimal.skipped.values():
        assert f": {reason.rstrip('.')}." in page.text
    assert "There is no linear ceiling: it was left out." in page.text
    assert "this model is not linear" in page.text
    assert "The run has no history to draw." in page.text
    assert "What to do next" not in page.text
    assert is_inert(page)


def test_what_is_missing_without_a_reason_is_said_too(minimal: Evaluation) -> None:
    page = Page(render(replace(minimal, skipped={}, linear=True)))
    assert "The error is not split: there is no linear ceiling" in page.text
    assert "Wrong labels were not looked for." in page.text


def test_the_parts_add_up_to_the_error(full: Evaluation) -> None:
    assert full.parts is not None
    html = render(full)
    bar = html[html.index('<div class="parts"') :]
    widths = [float(width) for width in re.findall(r'style="width:([\d.]+)%"', bar[: bar.index("</div>")])]
    assert sum(widths) == pytest.approx(100, abs=0.01)
    legend = html[html.index('<ul class="legend">') : html.index("</ul>")]
    *parts, total = [float(text.replace("−", "-")) for text in re.findall(r'<b class="n">([^<]*)</b>', legend)]
    assert sum(parts) == pytest.approx(total, abs=0.02)
    assert total == pytest.approx(100 * (1 - full.accuracy.value), abs=0.005)


def test_a_part_that_is_a_gain_has_words_and_no_bar(full: Evaluation) -> None:
    page = Page(render(replace(full, parts=ErrorParts(-0.01, -0.02, 0.15))))
    assert "even above the linear ceiling" in page.text
    assert "None is lost to too few images" in page.text
    assert "−1.00" in page.text


def test_a_perfect_model_has_no_mistakes_to_show(full: Evaluation) -> None:
    probs = np.eye(10)[full.labels]
    counts = np.bincount(full.labels)
    page = Page(render(replace(full, probs=probs, confusion=np.diag(counts), suspects=())))
    assert page.text.count("None: every image is named right.") == 2
    assert "None: there is no test image" in page.text


def test_a_loss_without_end_is_said_in_words(full: Evaluation) -> None:
    calibration = replace(full.calibration, log_loss=math.inf)
    assert "infinite: a right answer had probability 0" in Page(render(replace(full, calibration=calibration))).text


def test_luck_is_not_called_learning(full: Evaluation) -> None:
    page = Page(render(replace(full, chance=Chance(0.1135, "1", 0.03, False))))
    assert "That it has learnt anything is not shown" in page.text
    assert "of 0.03" in page.text


def test_opening_the_test_part_often_is_said(full: Evaluation) -> None:
    assert "opened 3 times for this run. Each look" in Page(render(replace(full, openings=3))).text


def test_two_classes(make_evaluation: Callable[..., Evaluation]) -> None:
    page = Page(render(make_evaluation(classes=("no", "yes"))))
    assert page.headings == HEADINGS
    assert "no taken for yes" in page.text


def test_many_classes_have_a_picture_of_the_matrix_and_no_numbers(make_evaluation: Callable[..., Evaluation]) -> None:
    classes = tuple(f"letter {i}" for i in range(40))
    html = render(make_evaluation(classes=classes))
    page = Page(html)
    assert "Confusion matrix of 40 classes" in " ".join(attrs.get("alt") or "" for attrs in page.all("img"))
    assert '<table class="matrix' not in html
    assert "letter 39" in page.text


def test_a_class_without_images_or_answers_has_a_row(full: Evaluation) -> None:
    confusion = full.confusion.copy()
    confusion[3], confusion[:, 4] = 0, 0
    assert "never said" in Page(render(replace(full, confusion=confusion))).text


def test_an_mlp_shows_its_strongest_units(full: Evaluation) -> None:
    weights = np.random.default_rng(1).normal(size=(100, 8, 8)).astype(np.float32)
    weights[99] *= 9
    weights[0] *= 0
    page = Page(render(replace(full, linear=False, parts=None, weights=weights)))
    assert "Of 100 units these 64 have the largest weights." in page.text
    alts = [attrs.get("alt") for attrs in page.all("img")]
    assert "weights of unit 100" in alts
    assert "weights of unit 1" not in alts
    assert "this model is not linear" in page.text


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "evil\u202etxt.exe",
    "{{ 7 * 7 }}{% raw %}",
    "bad\udcffbytes",
    "x" * 5000,
    "line\nbreak\x1b[31m",
    "$\\frac{1}{2}$",
    "&lt;b&gt;javascript:alert(1)",
)


def test_hostile_names_are_text(make_evaluation: Callable[..., Evaluation]) -> None:
    e = make_evaluation(classes=HOSTILE)
    record = {"settings": {name: name for name in HOSTILE}, "data": dict.fromkeys(HOSTILE, 1)}
    landmarks = replace(e.landmarks, source=HOSTILE[0])
    html = render(
        replace(
            e,
            run=HOSTILE[1],
            title="".join(HOSTILE),
            record={**e.record, **record},
            landmarks=landmarks,
            chance=replace(e.chance, label=HOSTILE[2]),
            verdict=" ".join(HOSTILE),
            advice=HOSTILE,
            alarms=HOSTILE,
            skipped=dict.fromkeys(("size-curve", "wrong-labels"), HOSTILE[0]),
            suspects=None,
            curve=None,
        )
    )
    html.encode("utf-8")
    page = Page(html)
    assert is_inert(page)
    assert page.headings == HEADINGS
    assert len(page.all("img")) == len(Page(render(e)).all("img")) - len(e.suspects or ())
    for shown in ("<script>alert(1)</script>", "evil\\u202etxt.exe", "{{ 7 * 7 }}{% raw %}", "bad\\udcffbytes"):
        assert shown in page.text
    assert "line\\nbreak\\x1b[31m" in page.text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f]", html)


def test_the_same_evaluation_gives_the_same_page(full: Evaluation) -> None:
    assert render(full) == render(full)


def test_a_page_of_mnist_s_size_is_small(make_evaluation: Callable[..., Evaluation]) -> None:
    e = make_evaluation(n=2000)
    images = np.random.default_rng(0).integers(0, 256, (2000, 28, 28), dtype=np.uint8)
    weights = np.random.default_rng(0).normal(size=(10, 28, 28)).astype(np.float32)
    assert len(render(replace(e, images=images, weights=weights))) < 800_000


def test_it_is_written_into_the_run_s_folder(full: Evaluation, tmp_path: Path) -> None:
    path = write(full, tmp_path)
    assert path == tmp_path / "report.html"
    assert path.read_bytes() == render(full).encode("utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_that_is_not_there_is_said(full: Evaluation, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"report\.html"):
        write(full, tmp_path / "nowhere")


def colours(block: str) -> dict[str, tuple[float, ...]]:
    """The variables of a style block as linear red, green and blue."""
    found = re.findall(r"--(\w+): #([0-9a-f]{6})", block)
    values = {name: [int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)] for name, code in found}
    return {
        name: tuple(v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in rgb)
        for name, rgb in values.items()
    }


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """WCAG 2.2's contrast of two colours."""
    light = sorted(sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), rgb, strict=True)) for rgb in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


def test_every_text_can_be_read_on_its_ground_in_light_and_dark() -> None:
    css = (resources.files("byhand.evaluate") / "report.css").read_text("utf-8")
    light, dark = (colours(block) for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL))
    pairs = [("ink", ground) for ground in ("paper", "card", "hit", "miss", "alarm")]
    pairs += [("soft", "paper"), ("model", "paper")]
    for theme in (light, dark):
        assert {pair for pair in pairs if contrast(theme[pair[0]], theme[pair[1]]) < 4.5} == set()
        assert contrast(theme["other"], theme["paper"]) >= 3  # lines and marks, no text
