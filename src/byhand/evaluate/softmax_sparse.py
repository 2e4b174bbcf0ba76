"""A sparse matrix as the rows of a softmax regression: every product is SciPy's own, and nothing is made dense.

Centring would fill the matrix, so a column is only divided by its root mean square, as a unit for its weights:
V = W · root, on which λ/2 ‖W‖² weighs with λ / root².

Shapes: N rows, P columns with the one that is always on, which is not in the matrix, C classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from byhand.evaluate.softmax_rows import Block

__all__ = ["SparseNumbers"]


@final
@dataclass(frozen=True, slots=True)
class _Sparse:
    """Rows of a SciPy matrix (n, P − 1); the column that is always on is not in it."""

    x: Any

    def scores(self, w: Tensor) -> Tensor:
        w = w.to(_torch_type(self.x))
        return torch.as_tensor(self.x @ _numpy(w[:, :-1].t())).t() + w[:, -1:]

    def pull(self, u: Tensor) -> Tensor:
        return self._pull(self.x, u)

    def pull_squares(self, u: Tensor) -> Tensor:
        return self._pull(self.x.multiply(self.x).tocsr(), u)

    def _pull(self, x: Any, u: Tensor) -> Tensor:
        u = u.to(_torch_type(self.x))
        return torch.cat([torch.as_tensor(x.T @ _numpy(u.t())).t(), u.sum(dim=1, keepdim=True)], dim=1)


@final
class SparseNumbers:
    """A SciPy matrix in rows (CSR) of any scale (N, P − 1), float32 or float64. The bias is free."""

    free_bias = True

    def __init__(self, x: Any, counts: Tensor | None = None) -> None:
        """Args: x, and how much each row counts, (N,); 1 each if not given."""
        self._x = x
        self._single: Any = x.astype(np.float32, copy=False)
        self.count = int(x.shape[0])
        self.work = int(x.nnz) + self.count
        share = np.full(self.count, 1 / self.count) if counts is None else (counts / counts.sum()).double().numpy()
        squares = x.multiply(x).T @ share  # (P − 1,)
        deviation = np.sqrt(np.asarray(squares, dtype=np.float64))
        self._deviation = torch.as_tensor(np.where(deviation > 0, deviation, 1.0))  # an empty column has no weight
        one = torch.ones(1, dtype=torch.float64)
        self.scale = torch.cat([1 / self._deviation, one])
        self.penalty = torch.cat([self._deviation.pow(-2), 0 * one])

    def blocks(self, dtype: torch.dtype) -> Iterator[tuple[slice, Block]]:
        """See ``Rows``; nothing is made dense, so it is one block."""
        x = self._single if dtype == torch.float32 else self._x.astype(np.float64, copy=False)
        yield slice(0, self.count), _Sparse(x)

    def all_of_them(self, fast: bool) -> Block:
        """See ``Rows``; always in float32."""
        return _Sparse(self._single)

    def some(self, index: Tensor) -> Tensor:
        """See ``Rows``: these alone are made dense."""
        x = torch.as_tensor(self._single[index.numpy()].toarray())  # (n, P − 1)
        return torch.cat([x * self.scale[:-1].float(), torch.ones(len(x), 1)], dim=1)

    def inner(self, weight: Tensor) -> Tensor:
        """See ``Rows``."""
        return torch.cat([weight[:, :-1].double() * self._deviation, weight[:, -1:].double()], dim=1)

    def outer(self, inner: Tensor) -> Tensor:
        """See ``Rows``."""
        return inner * self.scale


def _torch_type(x: Any) -> torch.dtype:
    return torch.float32 if x.dtype == np.float32 else torch.float64


def _numpy(x: Tensor) -> Any:
    return x.contiguous().numpy()
