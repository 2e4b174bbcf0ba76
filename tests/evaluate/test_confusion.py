"""The confusion matrix, read class by class and pair by pair, against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from byhand.evaluate.confusion import class_rows, confused_pairs

COUNTS = np.array([[8, 2, 0], [1, 4, 5], [0, 0, 0]])


def test_a_row_says_what_was_found_and_how_far_the_name_can_be_believed() -> None:
    first, second, empty = class_rows(COUNTS)
    assert first.accuracy is not None
    assert (first.accuracy.value, first.accuracy.n, first.taken_for, first.taken) == (0.8, 10, 1, 2)
    assert second.precision is not None
    assert (second.precision.value, second.precision.n, second.taken_for, second.taken) == (4 / 6, 6, 2, 5)
    assert empty.accuracy is None, "no image is of this class"
    assert empty.precision is not None
    assert (empty.precision.value, empty.taken_for) == (0, None)


def test_a_class_that_is_never_named_has_no_precision() -> None:
    assert class_rows(np.array([[3, 0], [2, 0]]))[1].precision is None


def test_accuracy_and_precision_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels, said = rng.integers(0, 5, 400), rng.integers(0, 5, 400)
    precision, recall, _, support = precision_recall_fscore_support(labels, said)
    rows = class_rows(confusion_matrix(labels, said))
    assert [row.accuracy.value for row in rows if row.accuracy] == pytest.approx(recall)
    assert [row.precision.value for row in rows if row.precision] == pytest.approx(precision)
    assert [row.accuracy.n for row in rows if row.accuracy] == support.tolist()


def test_pairs_come_worst_first_and_equal_ones_in_their_order() -> None:
    pairs = confused_pairs(COUNTS, 2)
    assert [(pair.label, pair.other, pair.count, pair.share) for pair in pairs] == [(1, 2, 5, 0.5), (0, 1, 2, 0.2)]
    equal = confused_pairs(np.array([[5, 1], [1, 5]]), 10)
    assert [(pair.label, pair.other) for pair in equal] == [(0, 1), (1, 0)]


def test_no_error_no_pair() -> None:
    assert confused_pairs(np.diag([3, 4]), 10) == []


@given(arrays(np.int64, (4, 4), elements=st.integers(0, 50)))
def test_the_pairs_hold_every_error_once(counts: np.ndarray) -> None:
    pairs = confused_pairs(counts, 16)
    assert sum(pair.count for pair in pairs) == counts.sum() - counts.trace()
    assert all(pair.label != pair.other and pair.count == counts[pair.label, pair.other] for pair in pairs)
    assert [pair.count for pair in pairs] == sorted((pair.count for pair in pairs), reverse=True)
