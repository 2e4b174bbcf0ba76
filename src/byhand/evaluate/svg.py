"""A figure of matplotlib as a part of a page: text stays text, in the page's font and colours, light and dark.

The same figure gives the same bytes. No text of the user's may stand in a figure: only numbers and our own words, so
nothing here has to be escaped.
"""

import io
import re
from contextlib import AbstractContextManager
from typing import Any, Final, cast

import matplotlib
from matplotlib.figure import Figure

__all__ = ["INK", "MODEL", "OTHER", "new_axes", "style", "svg_text"]

INK, FAINT, MODEL, OTHER = "#1a2028", "#d5d9de", "#0068a8", "#b35900"
_VARIABLES: Final = {INK: "var(--ink)", FAINT: "var(--faint)", MODEL: "var(--model)", OTHER: "var(--other)"}

_STYLE: Final = {
    "svg.hashsalt": "byhand",
    "svg.fonttype": "none",
    "font.size": 10.0,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
_METADATA: Final = {"Date": None, "Creator": None, "Format": None, "Type": None}


def style() -> AbstractContextManager[None]:
    """The context in which figures are made and written."""
    return cast("Any", matplotlib).rc_context(_STYLE)


def new_axes(width: float = 360, height: float = 250) -> Any:
    """The axes of an empty figure, whose size is in pixels where it is shown at its own.

    Any, because matplotlib's own types leave half of what axes do unknown.
    """
    return Figure(figsize=(width / 72, height / 72), layout="constrained", facecolor="none").subplots()


def svg_text(axes: Any, name: str, title: str) -> str:
    """The axes' figure as an ``<svg>`` element with ``title`` for those who cannot see it.

    ``name`` goes before every id, because all pictures of a page share their ids.
    """
    file = io.BytesIO()
    axes.figure.savefig(file, format="svg", metadata=_METADATA)
    text = file.getvalue().decode("utf-8")
    text = re.sub(r"<style.*?</style>|<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r" ?font-family: [^;\"]*;?", "", text)
    text = re.sub(r' transform="rotate\(-0 [^"]*"', "", text)
    used = set(re.findall(r"#([^\")]+)[\")]", text))
    text = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'xlink:href="#|url\(#', lambda m: m[0].removeprefix("xlink:") + f"{name}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    box = re.search(r'viewBox="[^"]*"', text)
    assert box  # noqa: S101, matplotlib always writes one
    body = re.sub(r"\s+", " ", text[text.index(">") + 1 :]).replace("> <", "><").strip()
    return f'<svg {box[0]} role="img" aria-label="{title}"><title>{title}</title>{body}'
