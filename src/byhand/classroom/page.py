"""The grades as one page that asks nothing of anybody, neither a network nor a script."""

from collections.abc import Sequence

from byhand.classroom.grade import Grade
from byhand.classroom.table import cells, summary
from byhand.templates import environment

__all__ = ["render"]


def render(grades: Sequence[Grade], mark: float, data: str, total: int) -> str:
    """The page.

    Args:
        grades: so far, in order.
        mark: the accuracy that passes.
        data: the name of the instructor's data.
        total: submissions; where there are more than grades, the page says so.
    """
    return (
        environment("byhand.classroom", "byhand.evaluate")
        .get_template("page.html.jinja")
        .render(
            rows=[(grade, cells(grade)) for grade in grades],
            summary=summary(grades, mark),
            mark=f"{mark:g}",
            data=data,
            missing=total - len(grades),
        )
    )
