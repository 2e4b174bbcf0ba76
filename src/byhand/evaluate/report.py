"""The report: an evaluation as one page that asks nothing of anybody, neither a network nor a script.

The template says what stands where; this file prepares what it shows.
"""

import math
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from byhand.evaluate.answer import percent
from byhand.evaluate.confusion import class_rows
from byhand.evaluate.pictures import image
from byhand.evaluate.plots import accuracy_curve, loss_curve, reliability_diagram, size_curve
from byhand.evaluate.results import Evaluation
from byhand.evaluate.sections import (
    calibration_words,
    confused_images,
    confusion_shades,
    error_parts,
    interval_floor,
    made_of,
    overfitting_words,
    rungs,
    weight_pictures,
    worst_mistakes,
)
from byhand.files import write_atomically
from byhand.templates import environment

__all__ = ["render", "write"]

_SUSPECTS: Final = 48
_NAME: Final = 48  # letters of a class's name; longer ones are cut


def write(evaluation: Evaluation, folder: str | Path) -> Path:
    """Write the page as ``report.html`` into a run's folder, and return its path.

    Raises:
        DataError: the file cannot be written.
    """
    path = Path(folder) / "report.html"
    write_atomically(path, render(evaluation).encode("utf-8"))
    return path


def render(evaluation: Evaluation) -> str:
    """The page as text."""
    pages = environment("byhand.evaluate")
    pages.filters |= {"percent": _percent, "points": _points, "count": _count, "share": _share, "chance": _chance}
    return pages.get_template("report.html.jinja").render(_context(evaluation))


def _context(e: Evaluation) -> dict[str, Any]:
    """Everything that the template shows, beside the evaluation itself."""
    ceiling = e.landmarks.ceiling
    classes = len(e.landmarks.classes)
    names = [name if len(name) <= _NAME else name[: _NAME - 1] + "…" for name in e.landmarks.classes]
    return {
        "e": e,
        "names": names,
        "ladder": rungs(e),
        "parts": error_parts(e.parts),
        "loss": _drawn(loss_curve(e.history, classes, ceiling.loss if ceiling else None)),
        "accuracy": _drawn(accuracy_curve(e.history, ceiling.accuracy.value if ceiling else None)),
        "overfitting": overfitting_words(e.overfitting) if e.overfitting else None,
        "rows": class_rows(e.confusion),
        "floor": interval_floor(e),
        **confusion_shades(e),
        "pairs": confused_images(e),
        "mistakes": worst_mistakes(e),
        "reliability": _drawn(reliability_diagram(e.calibration.bins)),
        "calibration": calibration_words(e.calibration),
        "nothing": math.log(classes),
        "infinity": math.inf,
        **weight_pictures(e, names),
        "suspects": [(image(e.images[s.row]), s) for s in (e.suspects or ())[:_SUSPECTS]],
        "size": _drawn(size_curve(e.curve)) if e.curve else None,
        "made": made_of(e),
    }


# Numbers as the page writes them.


def _percent(value: float, digits: int = 1) -> Markup:
    return Markup(percent(value, digits).replace(" ", "&nbsp;"))  # noqa: S704, a number


def _share(value: float) -> Markup:
    """A probability in percent; neither 0 nor 1 is claimed where it is only near."""
    if 0 < value < 1e-4:
        return Markup("&lt;0.01&nbsp;%")
    if 0.9995 < value < 1:
        return Markup("&gt;99.9&nbsp;%")
    return _percent(value, 2 if value < 0.01 else 1)


def _points(value: float, digits: int = 2) -> str:
    """A difference of two accuracies in points of a percent, with its sign."""
    text = f"{100 * value:+.{digits}f}".replace("-", "−")
    return text[1:] if float(text.replace("−", "-")) == 0 else text


def _count(value: int) -> str:
    return f"{value:,}"


def _chance(value: float) -> str:
    """A p-value in words that follow "with a probability"."""
    return "below 1e-300" if value < 1e-300 else f"of {value:.2g}"


def _drawn(svg: str | None) -> Markup | None:
    return None if svg is None else Markup(svg)  # noqa: S704, matplotlib's own, without any text of the user's
