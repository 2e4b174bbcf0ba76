"""Products with parameters, and what a backward pass gives that multiplies by parameters after their update.

In the place of h @ W there stands h @ W + (h − h₀) @ W′ − (h − h₀) @ W, where h₀ is what the iteration had before
anything was changed and W′ is W after its update: the numbers are the same, and their slopes in what h was made of are
those of a backward pass through W′.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.watch.arrays import is_float, is_numpy
from byhand.doctor.watch.hooks import Hooks
from byhand.doctor.watch.listening import replacing_results

__all__ = ["Products", "replace_products"]

_MOST: Final = 400  # products of an iteration
_ROOM: Final = 4_000_000  # elements

Array = NDArray[np.float64]
_Site = tuple[int, int, int, int]  # the position of a place; the parameter; its side, 0 or 1; transposed, 0 or 1


@final
@dataclass
class Products:
    """What parameters were multiplied with, at each site, in order."""

    arrays: Mapping[int, Any]
    of: dict[_Site, list[Array]] = field(default_factory=dict[_Site, list[Array]])
    _count: int = 0
    _room: int = _ROOM

    def note(self, k: int, name: str, operands: tuple[Any, ...]) -> None:
        """An operation is over; if it was a product with a parameter the other side is kept."""
        site = self.site(k, name, operands)
        if site is None:
            return
        other = operands[1 - site[2]]
        if self._count < _MOST and self._room >= other.size:
            self._count += 1
            self._room -= other.size
            self.of.setdefault(site, []).append(np.array(other, np.float64))

    def site(self, k: int, name: str, operands: tuple[Any, ...]) -> _Site | None:
        """Where a product with a parameter is; None for any other operation."""
        if name != "matmul" or len(operands) < 2 or not all(is_numpy(x) and is_float(x) for x in operands[:2]):
            return None
        for number, array in self.arrays.items():
            for side in (1, 0):
                if operands[side] is array:
                    return k, number, side, 0
                if _is_transpose(operands[side], array):
                    return k, number, side, 1
        return None

    def plain(self) -> tuple[list[list[Any]], dict[str, Array]]:
        """A description for JSON, and arrays by name."""
        described: list[list[Any]] = []
        kept: dict[str, Array] = {}
        for i, (site, others) in enumerate(self.of.items()):
            described.append([*site, len(others)])
            kept.update({f"product {i} {j}": one for j, one in enumerate(others)})
        return described, kept

    @classmethod
    def read(cls, described: list[list[int]], kept: Mapping[str, Array], arrays: Mapping[int, Any]) -> "Products":
        """What ``plain`` gave."""
        return cls(
            arrays,
            {
                (k, number, side, turned): [kept[f"product {i} {j}"] for j in range(count)]
                for i, (k, number, side, turned, count) in enumerate(described)
            },
        )


def replace_products(hooks: Hooks, products: Products, taken: Mapping[int, Array], numbers: Sequence[int]) -> None:
    """Have slopes through some parameters as they are after their update, in this process and from now on."""
    times: Counter[_Site] = Counter()

    def other(k: int, name: str, operands: tuple[Any, ...], result: Any) -> Any:
        site = products.site(k, name, operands)
        if site is None or site[1] not in numbers:
            return result
        before = products.of.get(site, [])
        times[site] += 1
        if times[site] > len(before) or before[times[site] - 1].shape != operands[1 - site[2]].shape:
            return result
        by = -taken[site[1]].reshape(products.arrays[site[1]].shape)
        by = by.T if site[3] else by
        moved = operands[1 - site[2]] - before[times[site] - 1]
        return result + (moved @ by if site[2] else by @ moved)

    replacing_results(hooks, other)


def _is_transpose(one: Any, array: Any) -> bool:
    return (
        array.ndim == 2
        and one.shape == array.shape[::-1]
        and one.strides == array.strides[::-1]
        and one.__array_interface__["data"][0] == array.__array_interface__["data"][0]
    )
