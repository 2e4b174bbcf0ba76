"""What comes in: rows, labels and how much each row counts, checked and in one form.

Shapes: N rows, P features.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import multiclass, validation

__all__ = ["Sample", "integer", "integers", "is_sparse", "number", "rows", "sample"]

_FLOATS = [np.float64, np.float32]  # kept as they are; every other type becomes the first


@final
@dataclass(frozen=True, slots=True)
class Sample:
    """Rows to learn from. One that counts 0 is not among them, as if it had never been."""

    x: Any  # (N, P), an array or a SciPy matrix in rows, float64 or float32
    y: NDArray[Any]  # (N,) labels of any kind
    counts: NDArray[np.float64] | None  # (N,), above 0; None if all count 1

    @property
    def total(self) -> float:
        """Σ s_i."""
        return len(self.y) if self.counts is None else float(self.counts.sum())


def sample(estimator: Any, x: Any, y: Any, sample_weight: Any, sparse: bool, first: bool) -> Sample:
    """What ``fit`` and ``partial_fit`` are given; ``first`` notes the features' number and names, else compares them.

    Raises:
        ValueError: another shape, numbers that are not finite, labels that are no classes, or weights that are negative
            or all zero.
    """
    # What is read-only is copied: torch has no tensors that cannot be written to.
    form: dict[str, Any] = {"accept_sparse": "csr" if sparse else False, "dtype": _FLOATS, "force_writeable": True}
    x, y = cast("Any", validation).validate_data(estimator, x, y, reset=first, **form)
    cast("Any", multiclass).check_classification_targets(y)
    if sample_weight is None:
        return Sample(x, y, None)
    counts = _counts(sample_weight, len(y))
    there = counts > 0  # (N,)
    return Sample(x, y, counts) if there.all() else Sample(x[there], y[there], counts[there])


def rows(estimator: Any, x: Any, sparse: bool) -> Any:
    """What is to be predicted, (N, P), with the features that were learnt from."""
    form: dict[str, Any] = {"accept_sparse": "csr" if sparse else False, "dtype": _FLOATS}
    return cast("Any", validation).validate_data(estimator, x, reset=False, **form)


def is_sparse(x: Any) -> bool:
    """Whether this is one of SciPy's sparse matrices or arrays."""
    return bool(cast("Any", sparse).issparse(x))


def _counts(sample_weight: Any, rows: int) -> NDArray[np.float64]:
    if isinstance(sample_weight, Real):
        sample_weight = np.full(rows, float(sample_weight))
    counts: NDArray[np.float64] = cast("Any", validation).check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if counts.shape != (rows,):
        raise ValueError(f"sample_weight has the shape {counts.shape}; give one number for each of the {rows} rows")
    if (counts < 0).any():
        raise ValueError(f"sample_weight is {counts.min():g} in row {counts.argmin()}; a row cannot count less than 0")
    if not counts.any():
        raise ValueError("sample_weight is zero in every row; at least one must count")
    return counts


def number(estimator: Any, name: str, low: float, *, above: bool, auto: bool = False) -> float | None:
    """A parameter that is a finite number of at least (``above``: above) ``low``; or None for "auto".

    Raises:
        ValueError: it is not.
    """
    value = getattr(estimator, name)
    if auto and isinstance(value, str) and value == "auto":
        return None
    if isinstance(value, Real) and not isinstance(value, bool | np.bool_):
        given = float(value)
        if math.isfinite(given) and (given > low or (given == low and not above)):
            return given
    raise _refused(estimator, name, f"a finite number {'above' if above else 'of at least'} {low:g}", auto)


def integer(estimator: Any, name: str) -> int | None:
    """A parameter that is a whole number of at least 1; or None for "auto".

    Raises:
        ValueError: it is not.
    """
    value = getattr(estimator, name)
    if isinstance(value, str) and value == "auto":
        return None
    if _is_count(value):
        return int(value)
    raise _refused(estimator, name, "a whole number of at least 1", auto=True)


def integers(estimator: Any, name: str) -> list[int]:
    """A parameter that is one whole number of at least 1 or several.

    Raises:
        ValueError: it is not.
    """
    value = getattr(estimator, name)
    several = list(cast("Sequence[Any]", value)) if isinstance(value, Sequence | np.ndarray) else [value]
    if all(map(_is_count, several)):
        return [int(one) for one in several]
    raise _refused(estimator, name, "whole numbers of at least 1, as in (30,)", auto=False)


def _is_count(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, Integral) and int(value) >= 1


def _refused(estimator: Any, name: str, wanted: str, auto: bool) -> ValueError:
    choice = ' or "auto"' if auto else ""
    return ValueError(f"{name} of {type(estimator).__name__} is {getattr(estimator, name)!r}; give {wanted}{choice}")
