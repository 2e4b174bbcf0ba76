"""A hand that draws on the pad with the mouse."""

from typing import Any

ZERO = [
    (0.5, 0.2),
    (0.33, 0.3),
    (0.3, 0.5),
    (0.35, 0.72),
    (0.5, 0.8),
    (0.65, 0.72),
    (0.7, 0.5),
    (0.66, 0.3),
    (0.5, 0.2),
]
THREE = [
    (0.32, 0.25), (0.45, 0.17), (0.62, 0.22), (0.64, 0.36), (0.5, 0.46), (0.42, 0.47), (0.52, 0.48), (0.68, 0.58),
    (0.66, 0.74), (0.5, 0.83), (0.33, 0.77),
]  # fmt: skip


def stroke(page: Any, points: list[tuple[float, float]]) -> None:
    """One stroke; points are parts of the pad's width and height."""
    box = page.locator("#draw-view canvas.pad").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()
