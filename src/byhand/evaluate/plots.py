"""The report's curves: over epochs, over confidence, over the number of training images.

Accuracies stand on a scale of errors whose steps are factors: from 90 to 95 % is as far as from 98 to 99 %, because
each halves the errors. Each function returns an ``<svg>`` element, or None where there is nothing to draw.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator, StrMethodFormatter
from numpy.typing import NDArray

from byhand.evaluate.calibration import Bin
from byhand.evaluate.results import Curve
from byhand.evaluate.svg import INK, MODEL, OTHER, new_axes, style, svg_text

__all__ = ["accuracy_curve", "loss_curve", "reliability_diagram", "size_curve"]

History = Sequence[Mapping[str, float | None]]
Floats = NDArray[np.float64]
Line = tuple[Floats, Floats]  # epochs and values, both (E,)

_PARTS: Final = (("train", MODEL, "-", "o"), ("valid", OTHER, "--", "s"))  # never by colour alone
_FEW: Final = 25  # epochs; more are drawn without a mark at each
_DIGITS: Final = ((1, 2, 5), range(1, 10), range(10, 100), range(100, 1000))  # of ticks, until there are enough
_LEAST: Final = 1e-4  # an error of 0 is drawn below half of the smallest other one, or here


def loss_curve(history: History, classes: int, ceiling: float | None) -> str | None:
    """The loss of both parts over epochs, with ln C, the loss of knowing nothing, and that of the best linear layer."""
    lines = _lines(history, "loss")
    if not lines:
        return None
    with style():
        axes = new_axes()
        _draw(axes, lines)
        chance = math.log(classes)
        top = max(float(y.max()) for _, y in lines.values())
        _level(axes, chance, f"ln {classes}: knowing nothing")
        if ceiling is not None:
            _level(axes, ceiling, "best linear layer", dotted=True)
        if top > 3 * chance:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_ylim(0, 1.08 * max(top, chance))
        _dress(axes, "epoch", "loss (nats)")
        return svg_text(axes, "loss", "Loss over epochs")


def accuracy_curve(history: History, ceiling: float | None) -> str | None:
    """The accuracy of both parts over epochs, with that of the best linear layer on the test part."""
    lines = _lines(history, "accuracy")
    if not lines:
        return None
    with style():
        axes = new_axes()
        errors = {part: (x, 1 - y) for part, (x, y) in lines.items()}
        levels = [] if ceiling is None else [1 - ceiling]
        least = _stretch(axes, np.concatenate([*(y for _, y in errors.values()), levels]))
        _draw(axes, {part: (x, np.maximum(y, least)) for part, (x, y) in errors.items()})
        if ceiling is not None:
            _level(axes, max(1 - ceiling, least), "best linear layer (test part)", dotted=True)
        _dress(axes, "epoch", "accuracy")
        return svg_text(axes, "accuracy", "Accuracy over epochs")


def reliability_diagram(bins: Sequence[Bin]) -> str | None:
    """How often the model is right over how sure it is, a point a bin with Wilson's interval; the diagonal is ideal."""
    if not bins:
        return None
    with style():
        axes = new_axes(340, 320)
        x = [one.confidence for one in bins]
        y = [one.accuracy.value for one in bins]
        low = min([*x, *(one.accuracy.low for one in bins)])
        start = max(0.0, math.floor(10 * low) / 10)
        axes.plot([start, 1], [start, 1], "--", color=INK, linewidth=1, label="as right as sure")
        down = [one.accuracy.value - one.accuracy.low for one in bins]
        up = [one.accuracy.high - one.accuracy.value for one in bins]
        axes.errorbar(x, y, yerr=[down, up], fmt="o", color=MODEL, markersize=4, elinewidth=1.4, label="this model")
        axes.set_xlim(start, 1.01)
        axes.set_ylim(start, 1.01)
        axes.set_aspect("equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(_percent))
        axes.set_xlabel("how sure the model is")
        axes.set_ylabel("how often it is right")
        _legend(axes)
        return svg_text(axes, "reliability", "Reliability diagram: accuracy over confidence")


def size_curve(curve: Curve) -> str | None:
    """The accuracies over the number of training images, the fitted curve, and what it says of twice as many."""
    if not curve.points:
        return None
    with style():
        axes = new_axes(400, 260)
        n = np.array([point.n for point in curve.points], dtype=float)
        value = np.array([1 - point.accuracy.value for point in curve.points])
        low = np.array([1 - point.accuracy.high for point in curve.points])
        high = np.array([1 - point.accuracy.low for point in curve.points])
        twice = curve.twice
        sizes = np.exp(np.linspace(math.log(n[0]), math.log(2 * n[-1]), 100))
        fit = curve.a + curve.b * sizes**-curve.c
        least = _stretch(axes, np.concatenate([low, high, fit, [twice.value, twice.low, twice.high]]))
        value, low, high, fit = (np.maximum(y, least) for y in (value, low, high, fit))
        middle, down, up = (max(y, least) for y in (twice.value, twice.low, twice.high))
        axes.set_xscale("log")
        axes.plot(sizes, fit, "--", color=INK, linewidth=1.2, label="fitted curve")
        axes.errorbar(n, value, yerr=[value - low, high - value], fmt="o", color=MODEL, markersize=4, label="measured")
        bar = [[max(0.0, middle - down)], [max(0.0, up - middle)]]
        axes.errorbar([2 * n[-1]], [middle], yerr=bar, fmt="D", color=OTHER, markersize=5, label="expected of twice")
        ticks = [*n, 2 * n[-1]]
        axes.xaxis.set_major_locator(FixedLocator(ticks[::-1][:: -(-len(ticks) // 6)]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.set_xlabel("training images")
        axes.set_ylabel("accuracy on the test part")
        _legend(axes)
        return svg_text(axes, "size", "Accuracy over the number of training images, with extrapolation")


def _lines(history: History, name: str) -> dict[str, Line]:
    """Epochs and values of each part that has any; what is no number is left out."""
    lines: dict[str, Line] = {}
    for part, *_ in _PARTS:
        pairs = [(row.get("epoch"), row.get(f"{part}_{name}")) for row in history]
        good = [(x, y) for x, y in pairs if x is not None and y is not None and math.isfinite(y)]
        if good:
            lines[part] = (np.array([x for x, _ in good]), np.array([y for _, y in good]))
    return lines


def _draw(axes: Any, lines: Mapping[str, Line]) -> None:
    for part, colour, dashes, mark in _PARTS:
        if part in lines:
            x, y = lines[part]
            few = mark if len(x) <= _FEW else "none"
            axes.plot(x, y, dashes, color=colour, marker=few, markersize=3.5, label=part)


def _level(axes: Any, y: float, label: str, dotted: bool = False) -> None:
    axes.axhline(y, color=INK, linewidth=1.1, linestyle=":" if dotted else "-.", label=label)


def _dress(axes: Any, x: str, y: str) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.margins(x=0.03)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    _legend(axes)


def _legend(axes: Any) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, borderaxespad=0.2, columnspacing=1.2)


def _percent(value: float, _: int | None = None) -> str:
    return f"{100 * value:.0f} %"


def _stretch(axes: Any, errors: Floats) -> float:
    """Make the y axis one of errors, few on top, and name its ticks by accuracy; returns where an error of 0 stands."""
    errors = errors[np.isfinite(errors)]
    some = errors[errors > 0]
    least = float(some.min()) if len(some) else 2 * _LEAST
    if len(some) < len(errors):
        least /= 2
    most = max(float(errors.max()), 1.2 * least)
    edge = (most / least) ** 0.06
    axes.set_yscale("log")
    axes.set_ylim(min(1.0, most * edge), least / edge)
    ticks = _ticks(least, most)
    if len(some) < len(errors):
        ticks = [error for error in ticks if error > max(1.6, edge**1.5) * least] + [least]
    names = [f"{100 * (1 - error):.10g} %" for error in ticks]
    if len(some) < len(errors):
        names[-1] = "100 %"
    axes.set_yticks(ticks, names)
    axes.yaxis.set_minor_locator(NullLocator())
    return least


def _ticks(least: float, most: float) -> list[float]:
    """Round errors between the two, many first, a few of them and none too close to another."""
    apart = max(1.02, (most / least) ** 0.08)
    ticks: list[float] = []
    for digits in _DIGITS:
        ticks = []
        round_ones = {digit / 10.0**power for power in range(8) for digit in digits} | {0.9}
        for error in sorted((error for error in round_ones if least <= error <= most), reverse=True):
            if not ticks or ticks[-1] / error > apart:
                ticks.append(error)
        if len(ticks) >= 3:
            break
    return ticks
