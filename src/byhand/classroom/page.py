"""The grades as one page that asks nothing of anybody, neither a network nor a script."""

from collections.abc import Sequence
from importlib import resources
from typing import Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from byhand.classroom.grade import Grade
from byhand.classroom.table import cells, summary
from byhand.text import one_line

__all__ = ["render"]

_HOME: Final = {"report.css": "byhand.evaluate"}


def render(grades: Sequence[Grade], mark: float, data: str, total: int) -> str:
    """The page.

    Args:
        grades: so far, in order.
        mark: the accuracy that passes.
        data: the name of the instructor's data.
        total: submissions; where there are more than grades, the page says so.
    """
    environment = Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        finalize=_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja").render(
        rows=[(grade, cells(grade)) for grade in grades],
        summary=summary(grades, mark),
        mark=f"{mark:g}",
        data=data,
        missing=total - len(grades),
    )


def _read(name: str) -> str:
    return (resources.files(_HOME.get(name, "byhand.classroom")) / name).read_text("utf-8")


def _text(value: object) -> object:
    return value if isinstance(value, Markup) else one_line(str(value))
