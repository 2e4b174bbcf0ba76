"""Numbers of any scale as the rows of a softmax regression, in float32 for most products and in float64 for the proof.

Each column is centred and divided by its deviation, so that float32 can tell the columns apart, and what is constant is
left out, for the bias says as much. The weights V of such columns are those W of the columns themselves in another
unit, W = V / deviation, so that λ/2 ‖W‖² weighs on a column of V with λ / deviation². Centring moves the bias alone,
which is free: W x + b = V (x − mean) / deviation + b + W mean.

Shapes: N rows, n of them in a block, P columns with the one that is always on, P' without those left out, C classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from byhand.evaluate.softmax_rows import Block, Dense, fast_type, slices

__all__ = ["Numbers"]


@final
@dataclass(frozen=True, slots=True)
class _AsTheyCame:
    """Rows (n, P − 1) of ``Numbers`` in float64, as they came: the weights are brought to them instead."""

    x: Tensor
    numbers: "Numbers"

    def scores(self, w: Tensor) -> Tensor:
        w = self.numbers.outer(w)
        return torch.addmm(w[:, -1:], w[:, :-1], self.x.t())

    def pull(self, u: Tensor) -> Tensor:
        return self.numbers.pulled(u @ self.x, u.sum(dim=1, keepdim=True))

    def pull_squares(self, u: Tensor) -> Tensor:
        raise NotImplementedError  # only asked for in float32


@final
class Numbers:
    """Numbers of any scale (N, P − 1), float32 or float64. The bias is free: it is not penalized.

    They are kept as they came, for what is computed in float64, and once more in float32, centred and scaled.
    """

    free_bias = True

    def __init__(self, x: Tensor, counts: Tensor | None = None) -> None:
        """Args: x, and how much each row counts, (N,); 1 each if not given."""
        self._raw = x
        self.count = len(x)
        low, high = torch.aminmax(x, dim=0)  # (P − 1,) each
        self._used = low < high
        columns = self._used.nonzero().squeeze(1)  # (P' − 1,)
        share = torch.full((self.count,), 1 / self.count, dtype=x.dtype) if counts is None else (counts / counts.sum())
        share = share.to(x.dtype)  # (N,)
        mean, reach = (share @ x)[columns], (high - low)[columns]
        self._x = torch.ones(self.count, len(columns) + 1)  # (N, P') float32
        self.work = self._x.numel()
        squares = torch.zeros_like(mean)
        for at in slices(self.count):
            away = (x[at].index_select(1, columns) - mean) / reach  # (n, P' − 1), neither huge nor tiny
            squares += share[at] @ away.square()
            self._x[at, :-1] = away
        self._mean, self._deviation = mean.double(), reach.double() * squares.double().sqrt()
        self._x[:, :-1] *= (1 / squares.double().sqrt()).float()
        one = torch.ones(1, dtype=torch.float64)
        self.scale = one.expand(len(columns) + 1)
        self.penalty = torch.cat([self._deviation.pow(-2), 0 * one])

    def blocks(self, dtype: torch.dtype) -> Iterator[tuple[slice, Block]]:
        """See ``Rows``."""
        for at in slices(self.count):
            if dtype == torch.float32:
                yield at, Dense(self._x[at])
            else:
                yield at, _AsTheyCame(self._raw[at].double(), self)

    def all_of_them(self, fast: bool) -> Block:
        """See ``Rows``; in bfloat16 each number is off by 0.2 % at most, and as often up as down."""
        return Dense(self._x.to(fast_type() if fast else torch.float32))

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

    def pulled(self, pull: Tensor, total: Tensor) -> Tensor:
        """What pulls at V (C, P'), of what pulls at W (C, P − 1) and its bias (C, 1): the transpose of ``outer``."""
        return torch.cat([(pull[:, self._used] - total * self._mean) / self._deviation, total], dim=1)
