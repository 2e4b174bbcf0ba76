"""The rows of a softmax regression, however they are stored, in the types in which they are multiplied.

The solver knows rows x (N, P) through two products: the scores W xᵀ, and what a row of numbers for each class pulls at
the weights, u x. The last column of x is always on; its weight is the bias.

``Pixels`` are bytes that stand for x / 255. ``Numbers`` may have any scale: each column is centred and divided by its
deviation, so that float32 can tell the columns apart, and what is constant is left out, for the bias says as much.
``SparseNumbers`` are only divided by their root mean square, because centring would fill them. The weights V of such
columns are those of the columns themselves in another unit, W = V / deviation, so that λ/2 ‖W‖² weighs on a column of V
with λ / deviation²; centring moves the bias alone, which is free there.

Shapes: N rows, n of them in a block, P columns with the one that is always on, C classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, final

import numpy as np
import torch
from torch import Tensor

__all__ = ["PIXEL", "Block", "Numbers", "Pixels", "Rows", "SparseNumbers"]

PIXEL: Final = 255
"""The byte that stands for 1."""

_BLOCK: Final = 8192  # rows in float64 at a time


class Block(Protocol):
    """Some rows, in one type of number."""

    def scores(self, w: Tensor) -> Tensor:
        """W xᵀ: (C, P) → (C, n)."""
        ...

    def pull(self, u: Tensor) -> Tensor:
        """What u pulls at the weights, u x: (C, n) → (C, P)."""
        ...

    def pull_squares(self, u: Tensor) -> Tensor:
        """The same of the squares of all numbers, u x²: (C, n) → (C, P)."""
        ...


class Rows(Protocol):
    """All rows. What is stored, times ``scale``, is what the solver's weights V are for."""

    count: int  # N
    scale: Tensor  # (P,) float64
    penalty: Tensor  # (P,) float64: λ of a column of V, in λs of a column of W; 0 for a free bias
    free_bias: bool

    def blocks(self, dtype: torch.dtype) -> Iterator[tuple[slice, Block]]:
        """All rows in order, some at a time, in float32 or float64."""
        ...

    def all_of_them(self, fast: bool) -> Block:
        """All rows at once, in float32; if ``fast``, in bfloat16 where the processor multiplies that faster."""
        ...

    def some(self, index: Tensor) -> Tensor:
        """The rows of these numbers (n,), times ``scale``: (n, P) float32."""
        ...

    def inner(self, weight: Tensor) -> Tensor:
        """V for weights W of the columns as they came."""
        ...

    def outer(self, inner: Tensor) -> Tensor:
        """W for weights V, float64, 0 for a column that was left out."""
        ...


@final
@dataclass(frozen=True, slots=True)
class _Dense:
    """Rows (n, P) as they are multiplied."""

    x: Tensor

    def scores(self, w: Tensor) -> Tensor:
        return w.to(self.x.dtype) @ self.x.t()

    def pull(self, u: Tensor) -> Tensor:
        return u.to(self.x.dtype) @ self.x

    def pull_squares(self, u: Tensor) -> Tensor:
        return u.to(self.x.dtype) @ self.x.square()


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
class Pixels:
    """Bytes 0..255, the last column 255 in every row. The bias is penalized like every weight."""

    free_bias = False

    def __init__(self, rows: Tensor) -> None:
        """Args: rows (N, P) uint8. A pixel that is 0 in every row has the weight 0 at the optimum, and is left out."""
        self._used = rows.amax(dim=0) > 0  # (P,)
        self._x = rows[:, self._used]  # (N, P')
        self.count, columns = self._x.shape
        self.scale = torch.full((columns,), 1 / PIXEL, dtype=torch.float64)
        self.penalty = torch.ones(columns, dtype=torch.float64)

    def blocks(self, dtype: torch.dtype) -> Iterator[tuple[slice, Block]]:
        """See ``Rows``."""
        for at in _slices(self.count):
            yield at, _Dense(self._x[at].to(dtype))

    def all_of_them(self, fast: bool) -> Block:
        """See ``Rows``; bytes are exact in bfloat16."""
        return _Dense(self._x.to(_fast_type() if fast else torch.float32))

    def some(self, index: Tensor) -> Tensor:
        """See ``Rows``."""
        return self._x.index_select(0, index) / float(PIXEL)

    def inner(self, weight: Tensor) -> Tensor:
        """See ``Rows``."""
        return weight[:, self._used].double()

    def outer(self, inner: Tensor) -> Tensor:
        """See ``Rows``."""
        full = torch.zeros(len(inner), len(self._used), dtype=torch.float64)
        full[:, self._used] = inner
        return full


@final
class Numbers:
    """Numbers of any scale (N, P − 1), float32 or float64. The bias is free: it is not penalized.

    They are kept as they came, for what is computed in float64, and once more in float32, centred and scaled.
    """

    free_bias = True

    def __init__(self, x: Tensor, share: Tensor | None = None) -> None:
        """Args: x, and how much each row counts, (N,) of the same type."""
        self._raw = x
        self.count = len(x)
        self._used = x.amin(dim=0) < x.amax(dim=0)  # (P − 1,)
        counts = torch.ones(self.count, dtype=torch.float64) if share is None else share.double()  # (N,)
        mean = (counts.to(x.dtype) @ x).double() / counts.sum()  # (P − 1,)
        squares = torch.zeros_like(mean)
        for at in _slices(self.count):
            squares += counts[at] @ (x[at].double() - mean).square_()
        self._mean = mean[self._used]
        self._deviation = (squares[self._used] / counts.sum()).sqrt()
        columns = len(self._mean) + 1
        self.scale = torch.ones(columns, dtype=torch.float64)
        self.penalty = torch.cat([self._deviation.pow(-2), torch.zeros(1, dtype=torch.float64)])
        self._x = torch.empty(self.count, columns)  # (N, P) float32
        for at in _slices(self.count):
            self._x[at] = self._scaled(at)

    def blocks(self, dtype: torch.dtype) -> Iterator[tuple[slice, Block]]:
        """See ``Rows``."""
        for at in _slices(self.count):
            yield at, _Dense(self._x[at] if dtype == torch.float32 else self._scaled(at))

    def all_of_them(self, fast: bool) -> Block:
        """See ``Rows``; in bfloat16 each number is off by 0.2 % at most, and as often up as down."""
        return _Dense(self._x.to(_fast_type() if fast else torch.float32))

    def some(self, index: Tensor) -> Tensor:
        """See ``Rows``."""
        return self._x.index_select(0, index)

    def inner(self, weight: Tensor) -> Tensor:
        """See ``Rows``."""
        own = weight[:, :-1][:, self._used].double()  # (C, P' − 1)
        return torch.cat([own * self._deviation, weight[:, -1:].double() + own @ self._mean.unsqueeze(1)], dim=1)

    def outer(self, inner: Tensor) -> Tensor:
        """See ``Rows``."""
        own = inner[:, :-1] / self._deviation  # (C, P' − 1)
        full = torch.zeros(len(inner), len(self._used) + 1, dtype=torch.float64)
        full[:, :-1][:, self._used] = own
        full[:, -1] = inner[:, -1] - own @ self._mean
        return full

    def _scaled(self, at: slice) -> Tensor:
        """Some rows in float64, (n, P)."""
        x = torch.ones(at.stop - at.start, len(self._mean) + 1, dtype=torch.float64)
        x[:, :-1] = (self._raw[at][:, self._used].double() - self._mean) / self._deviation
        return x


@final
class SparseNumbers:
    """A SciPy matrix in rows (CSR) of any scale (N, P − 1), float32 or float64. The bias is free."""

    free_bias = True

    def __init__(self, x: Any, share: Tensor | None = None) -> None:
        """Args: x, and how much each row counts, (N,)."""
        self._x = x
        self._single: Any = x.astype(np.float32, copy=False)
        self.count = int(x.shape[0])
        counts = np.ones(self.count) if share is None else share.double().numpy()
        squares = x.multiply(x).T @ counts / counts.sum()  # (P − 1,)
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


def _slices(count: int) -> Iterator[slice]:
    for begin in range(0, count, _BLOCK):
        yield slice(begin, min(begin + _BLOCK, count))


def _fast_type() -> torch.dtype:
    capable = getattr(torch.cpu, "get_capabilities", dict[str, object])()
    return torch.bfloat16 if capable.get("avx512_bf16") or capable.get("amx_bf16") else torch.float32


def _torch_type(x: Any) -> torch.dtype:
    return torch.float32 if x.dtype == np.float32 else torch.float64


def _numpy(x: Tensor) -> Any:
    return x.contiguous().numpy()
