"""Activations of an iteration, told by their values, and the same with another derivative.

In the place of a(z) there stands a(z₀) + s · (z − z₀), where z₀ is the input that the iteration had before anything was
changed: the numbers are the same, and their slopes are those of a backward pass that takes s for the derivative.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.watch.arrays import is_float, is_numpy
from byhand.doctor.watch.shares import Shares

__all__ = ["DROPPED", "Activations", "Site", "activation"]

_NAMES: Final = frozenset({"maximum", "clamp", "where", "tanh", "sigmoid", "relu", "mul", "div", "reciprocal"})
_MOST: Final = 400  # activations of an iteration
_ROOM: Final = 4_000_000  # elements

DROPPED, _OUTPUT, _FORMULA, _DIAGONAL = "dropped", "of its output", "formula of its input", "diagonal"
_OTHERS: Final[Mapping[str, Callable[[Any, Any], Any]]] = MappingProxyType(
    {  # of z and a: derivatives that belong to another one
        "of the sigmoid": lambda z, a: a * (1 - a),
        "of the sigmoid, at the input": lambda z, a: _logistic(z),
        "of the tanh": lambda z, a: 1 - a**2,
        "of the tanh, at the input": lambda z, a: 1 - np.tanh(z) ** 2,
        "of the relu": lambda z, a: z > 0,
    }
)

Array = NDArray[np.float64]
Site = tuple[int, tuple[int, ...]]
"""The position of a place, and the shape that comes out there: a loop over layers has one place for all of them."""


@final
@dataclass(frozen=True, slots=True)
class _One:
    kind: str
    z: Array
    a: Array


@final
@dataclass
class Activations:
    """The activations at each site, in their order."""

    of: dict[Site, list[_One]] = field(default_factory=dict[Site, list[_One]])
    _shares: Shares = field(default_factory=Shares)
    _count: int = 0
    _room: int = _ROOM

    def note(self, k: int, name: str, operands: tuple[Any, ...], result: Any) -> None:
        """An operation gave an array; if it is an activation it is kept."""
        if not is_float(result) or self._count >= _MOST or self._room < result.size:
            return
        found = activation(name, operands, result, self._shares)
        if found is not None:
            kind, z = found
            self._count += 1
            self._room -= result.size
            site = k, tuple(result.shape)
            self.of.setdefault(site, []).append(_One(kind, np.array(z, np.float64), np.array(result, np.float64)))

    def sites(self) -> list[Site]:
        """Those with outcomes of their own: a function gives what its last line gives, and a derivative may call it."""
        own: list[Site] = []
        for site, (first, *_) in self.of.items():
            if not any(np.array_equal(self.of[other][0].a, first.a) for other in own):
                own.append(site)
        return own

    def kind(self, site: Site) -> str:
        """relu, tanh, sigmoid, or softmax."""
        return self.of[site][0].kind

    def otherwise(self, site: Site) -> list[str]:
        """The derivatives that may have been taken there, but for its own; the likelier ones first."""
        kind = self.of[site][0].kind
        if kind == "softmax":
            return [_DIAGONAL, DROPPED]
        own = {"relu": [DROPPED]}.get(kind, [DROPPED, _OUTPUT, _FORMULA])
        return own + [how for how in _OTHERS if not how.startswith(f"of the {kind}")]

    def replaced(self, site: Site, time: int, how: str, z: Any) -> Any:
        """What comes out at a site, the ``time``-th time there, in the place of the activation of ``z``."""
        one = self.of[site][time]
        return one.a + _slope(one, how) * (z - one.z)

    def plain(self) -> tuple[list[list[Any]], dict[str, Array]]:
        """A description for JSON, and arrays by name."""
        sites: list[list[Any]] = []
        arrays: dict[str, Array] = {}
        for i, ((k, shape), ones) in enumerate(self.of.items()):
            sites.append([k, list(shape), ones[0].kind])
            arrays[f"z {i}"] = np.stack([one.z for one in ones])
            arrays[f"a {i}"] = np.stack([one.a for one in ones])
        return sites, arrays

    @classmethod
    def read(cls, sites: list[list[Any]], arrays: Mapping[str, Array]) -> "Activations":
        """What ``plain`` gave."""
        read = cls()
        for i, (k, shape, kind) in enumerate(sites):
            pairs = zip(arrays[f"z {i}"], arrays[f"a {i}"], strict=True)
            read.of[k, tuple(shape)] = [_One(kind, z, a) for z, a in pairs]
        return read


def activation(name: str, operands: tuple[Any, ...], result: Any, shares: Shares) -> tuple[str, Any] | None:
    """Which activation an operation is, and its input; None where it is none. Told by the values.

    Args:
        name: of the operation.
        operands: arrays and others.
        result: a floating-point array.
        shares: has been asked about every operation before.
    """
    scores = shares.scores(name, operands, result)
    if scores is not None:
        return "softmax", scores
    if name not in _NAMES or result.size < 2:
        return None
    with np.errstate(all="ignore"):
        if name in ("div", "reciprocal"):  # 1 / (1 + exp(−z))
            inverse = name == "reciprocal" or (len(operands) > 1 and np.isscalar(operands[0]) and operands[0] == 1)
            if not inverse or not (result > 0).all() or not (result < 1).all():
                return None
            return "sigmoid", np.log(result) - np.log1p(-result)
        arrays = [x for x in operands if is_numpy(x) and x.shape == result.shape and is_float(x)]
        for z in arrays[:2]:
            masked = name != "mul" or any(is_numpy(x) and x.dtype.kind == "b" for x in operands)
            if masked and np.array_equal(result, np.maximum(z, 0)) and (z < 0).any():
                return "relu", z
            if name in ("mul", "where", "maximum", "clamp"):
                continue
            if np.allclose(result, np.tanh(z), rtol=1e-6, atol=1e-9):
                return "tanh", z
            if np.allclose(result, 1 / (1 + np.exp(-z)), rtol=1e-6, atol=1e-9):
                return "sigmoid", z
    return None


def _slope(one: _One, how: str) -> Any:
    if how == DROPPED:
        return 1.0
    if one.kind == "softmax":
        return one.a * (1 - one.a)
    if how in _OTHERS:
        return _OTHERS[how](one.z, one.a)
    at = one.z if how == _FORMULA else one.a
    if one.kind == "tanh":
        return 1 - at**2 if how == _FORMULA else 1 - np.tanh(at) ** 2
    if how == _FORMULA:
        return at * (1 - at)
    return _logistic(at)


def _logistic(z: Any) -> Any:
    """The derivative of the sigmoid."""
    return np.exp(-abs(z)) / (1 + np.exp(-abs(z))) ** 2
