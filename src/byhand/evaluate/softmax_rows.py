"""The rows of a softmax regression, however they are stored, in the types in which they are multiplied.

The solver knows rows x (N, P) through two products: the scores W xᵀ, and what a row of numbers for each class pulls at
the weights, u x. The last column of x is always on; its weight is the bias.

Here are ``Pixels``, bytes that stand for x / 255. ``softmax_numbers`` has numbers of any scale, ``softmax_sparse``
those of a sparse matrix; their bias is free. What is multiplied may be scaled, and V are the weights for such rows.

Shapes: N rows, n of them in a block, P columns with the one that is always on, C classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol, final

import torch
from torch import Tensor

__all__ = ["PIXEL", "Block", "Dense", "Pixels", "Rows", "fast_type", "slices"]

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
    work: int  # multiplications of a product, for each class
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
class Dense:
    """Rows (n, P) that are multiplied as they stand."""

    x: Tensor

    def scores(self, w: Tensor) -> Tensor:
        """See ``Block``."""
        return w.to(self.x.dtype) @ self.x.t()

    def pull(self, u: Tensor) -> Tensor:
        """See ``Block``."""
        return u.to(self.x.dtype) @ self.x

    def pull_squares(self, u: Tensor) -> Tensor:
        """See ``Block``."""
        return u.to(self.x.dtype) @ self.x.square()


@final
class Pixels:
    """Bytes 0..255, the last column 255 in every row. The bias is penalized like every weight."""

    free_bias = False

    def __init__(self, rows: Tensor) -> None:
        """Args: rows (N, P) uint8. A pixel that is 0 in every row has the weight 0 at the optimum, and is left out."""
        self._used = rows.amax(dim=0) > 0  # (P,)
        self._x = rows[:, self._used]  # (N, P')
        self.count, columns = self._x.shape
        self.work = self._x.numel()
        self.scale = torch.full((columns,), 1 / PIXEL, dtype=torch.float64)
        self.penalty = torch.ones(columns, dtype=torch.float64)

    def blocks(self, dtype: torch.dtype) -> Iterator[tuple[slice, Block]]:
        """See ``Rows``."""
        for at in slices(self.count):
            yield at, Dense(self._x[at].to(dtype))

    def all_of_them(self, fast: bool) -> Block:
        """See ``Rows``; bytes are exact in bfloat16."""
        return Dense(self._x.to(fast_type() if fast else torch.float32))

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


def slices(count: int) -> Iterator[slice]:
    """The rows from 0 to ``count``, 8,192 at a time."""
    for begin in range(0, count, _BLOCK):
        yield slice(begin, min(begin + _BLOCK, count))


def fast_type() -> torch.dtype:
    """bfloat16 where the processor multiplies it fast, else float32."""
    capable = getattr(torch.cpu, "get_capabilities", dict[str, object])()
    return torch.bfloat16 if capable.get("avx512_bf16") or capable.get("amx_bf16") else torch.float32
