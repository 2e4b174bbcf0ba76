"""Draws digits.json anew: shapes designed by hand, as people write them, put on the pad in seven ways.

    python tests/play/drawing/draw_digits.py

A shape of shapes.json is a list of strokes; a stroke is a list of smooth curves, each beginning where the last one
ended, so that a corner lies between them; a curve is a list of points that it passes through, in a box of 1 × 1.
Nothing was left out of the file because a model failed on it.
"""

import json
import math
import random
from pathlib import Path

HERE = Path(__file__).parent
Point = tuple[float, float]

# What a way of drawing changes: the digit's height, the pen's width (parts of the pad), how far from the middle, slant.
KINDS = {
    "plain": (0.62, 0.085, 0.03, 0.0),
    "off-centre": (0.48, 0.075, 0.22, 0.0),
    "small": (0.3, 0.05, 0.1, 0.0),
    "large": (0.88, 0.09, 0.02, 0.0),
    "thin": (0.62, 0.02, 0.03, 0.0),
    "thick": (0.64, 0.13, 0.03, 0.0),
    "slanted": (0.62, 0.08, 0.03, 0.4),
}
SLIM = 0.72  # a digit's width to its height


def curve(points: list[Point], dots: int = 7) -> list[Point]:
    """A Catmull-Rom curve through the points."""
    ends = [points[0], *points, points[-1]]
    path = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for step in range(dots):
            t = step / dots
            path.append(
                tuple(
                    0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t**2 + (3 * q - p - 3 * r + s) * t**3)
                    for p, q, r, s in zip(a, b, c, d, strict=True)
                )
            )
    return [*path, points[-1]]


def drawn(shape: list[list[list[Point]]], kind: str, rng: random.Random) -> list[list[list[float]]]:
    """A shape on the pad, with an unsteady hand."""
    height, _, away, slant = KINDS[kind]
    angle, slim = rng.gauss(0, 0.05), SLIM * math.exp(rng.gauss(0, 0.08))
    slant *= rng.choice([1, 1, 1, -0.6])  # few lean to the left
    way = rng.uniform(0, 2 * math.pi)
    reach = away * rng.uniform(0.7, 1)
    centre = (0.5 + reach * math.cos(way), 0.5 + reach * math.sin(way))

    def at(point: Point) -> list[float]:
        x, y = (point[0] - 0.5) * slim, point[1] - 0.5
        x -= slant * y
        x, y = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
        return [round(centre[0] + height * x, 3), round(centre[1] + height * y, 3)]

    strokes = []
    for curves in shape:
        path: list[Point] = []
        for points in curves:
            shaken = [(x + rng.gauss(0, 0.018), y + rng.gauss(0, 0.018)) for x, y in points]
            path += curve(path[-1:] + shaken)
        strokes.append([at(point) for point in path])
    return strokes


def main() -> None:
    rng = random.Random(7)  # noqa: S311, an unsteady hand is no secret
    shapes = json.loads((HERE / "shapes.json").read_text("utf-8"))
    digits = [
        {"digit": shape["digit"], "kind": kind, "width": width, "strokes": drawn(shape["strokes"], kind, rng)}
        for shape in shapes
        for kind, (_, width, _, _) in KINDS.items()
    ]
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in digits)
    (HERE / "digits.json").write_text(f"[\n{lines}\n]\n", "utf-8")


if __name__ == "__main__":
    main()
