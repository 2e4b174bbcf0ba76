"""Accuracy never broadcasts, and a mean is weighted by count."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score
from torch import Tensor, tensor

from byhand.metrics import Mean, accuracy


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 2**32))
def test_accuracy_equals_scikit_learns_for_both_shapes_of_target(b: int, c: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(b, c, generator=generator)
    targ = torch.randint(c, (b,), generator=generator)
    expected = accuracy_score(targ, scores.argmax(1))
    for shaped in (targ, targ[:, None], targ[:, None].to(torch.uint8)):
        for laid_out in (scores, scores.t().contiguous().t()):
            value = accuracy(laid_out, shaped)
            assert value.shape == ()
            assert value.dtype == torch.float32
            assert float(value) == pytest.approx(expected, rel=1e-7)


def test_the_seeds_comparison_of_256_with_256_by_1_is_not_made() -> None:
    targ = torch.arange(256) % 10
    scores = torch.nn.functional.one_hot(targ, 10).float()
    assert (scores.argmax(1) == targ[:, None]).float().mean() < 0.2  # what broadcasting would have said
    assert accuracy(scores, targ[:, None]) == 1


def test_the_first_of_equal_scores_is_the_prediction() -> None:
    scores = tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    assert accuracy(scores, tensor([0, 1])) == 1
    assert accuracy(scores.t().contiguous().t(), tensor([0, 1])) == 1


def test_no_row_has_no_accuracy() -> None:
    assert math.isnan(accuracy(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)))


@pytest.mark.parametrize(
    ("scores", "targ"),
    [
        (torch.eye(3), torch.arange(3)[None]),
        (torch.eye(3), torch.arange(2)),
        (torch.eye(3), torch.arange(1)),
        (torch.eye(3), tensor(1)),
        (torch.eye(3), torch.eye(3)),
        (torch.eye(3), torch.arange(3)[:, None, None]),
        (torch.eye(1), torch.zeros(1, 1, 1)),
        (torch.arange(3.0), torch.arange(3)),
        (torch.zeros(3, 2, 4), torch.zeros(3, 2)),
    ],
    ids=lambda t: "x".join(map(str, t.shape)) or "scalar",
)
def test_other_shapes_are_refused(scores: Tensor, targ: Tensor) -> None:
    with pytest.raises(ValueError, match=r"needs inp \(B, C\) and targ \(B,\)"):
        accuracy(scores, targ)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 1000))))
def test_mean_is_the_mean_of_all_rows(batches: list[tuple[float, int]]) -> None:
    mean = Mean()
    for value, count in batches:
        mean.add(value, count)
    rows = sum(count for _, count in batches)
    assert mean.count == rows
    if rows:
        exact = sum(Fraction(value) * count for value, count in batches) / rows
        assert mean.value == pytest.approx(float(exact), rel=1e-12, abs=1e-6)
    else:
        assert math.isnan(mean.value)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1))
def test_mean_of_hits_counts_every_hit(batches: list[tuple[int, int]]) -> None:
    mean, by_row = Mean(), Mean()
    for hits, count in batches:
        mean.add(hits / count, count)
        by_row.add(1, hits)
        by_row.add(0, count - hits)
    hits, rows = (sum(column) for column in zip(*batches, strict=True))
    assert round(mean.total) == hits
    assert mean.value == pytest.approx(hits / rows, rel=1e-14)
    assert by_row.value == hits / rows


def test_mean_takes_tensors_and_leaves_out_empty_batches() -> None:
    mean = Mean()
    mean.add(tensor(0.5).requires_grad_(), 4)
    mean.add(tensor(math.nan), 0)
    assert mean.value == 0.5
    mean.add(math.nan, 1)
    assert math.isnan(mean.value)
