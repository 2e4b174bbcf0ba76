"""The points of a curve: dense at the start, bounded for ever."""

from itertools import pairwise
from typing import Any

from byhand.play.curve import Curve, rounded


def point(step: int) -> dict[str, Any]:
    return {"step": step}


def test_points_are_due_at_1_2_5_10_and_by_time() -> None:
    curve = Curve()
    curve.add(point(0), now=0.0, seconds=0.0)
    due = [step for step in range(1, 1001) if curve.is_due(step, now=0.1, watched=True)]
    assert due == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    assert not curve.is_due(1001, now=0.2, watched=True)
    assert curve.is_due(1001, now=0.3, watched=True)
    assert not curve.is_due(1001, now=0.3, watched=False)
    assert curve.is_due(1001, now=1.1, watched=False)


def test_dear_points_are_rare() -> None:
    curve = Curve()
    curve.add(point(0), now=0.0, seconds=1.0)
    assert not curve.is_due(3 if curve.is_due(2, 0.1, True) else 2, now=10.0, watched=True)
    assert curve.is_due(4, now=20.0, watched=True)


def test_never_more_than_1500_and_the_ends_stay() -> None:
    curve = Curve()
    for step in range(20_000):
        curve.add(point(step), now=step, seconds=0)
        assert len(curve.points) <= 1500
        assert curve.points[0] == point(0)
        assert curve.points[-1] == point(step)
    steps = [one["step"] for one in curve.points]
    assert steps == sorted(set(steps))
    gaps = [b - a for a, b in pairwise(steps)]
    assert steps[:12] == list(range(12))
    assert max(gaps) <= 4 * (20_000 / len(steps))  # thinned evenly


def test_a_point_takes_the_place_of_one_of_the_same_step() -> None:
    curve = Curve([point(0), point(10)])
    curve.add(point(10) | {"whole": True}, now=0, seconds=0)
    assert curve.points == [point(0), point(10) | {"whole": True}]
    assert not curve.is_due(10, now=0.1, watched=True)  # what was before is not due again
    curve.back_to(9)
    assert curve.points == [point(0)]


def test_numbers_have_six_digits_or_are_none() -> None:
    assert rounded(0.123456789) == 0.123457
    assert rounded(float("nan")) is rounded(float("inf")) is rounded(None) is None
