"""Tensors and NumPy arrays under one hand. torch is looked at only if the program has imported it."""

import sys
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.place import Summary

__all__ = [
    "as_numpy",
    "is_array",
    "is_float",
    "is_listed",
    "is_numpy",
    "is_tensor",
    "length",
    "pointer",
    "remade",
    "size",
    "summarize",
]

_PARTS: Final = 1000  # of one list
_LOOKED_AT: Final = 1 << 16  # elements of a larger array, evenly spread
_FLOATS: Final = frozenset("fc")


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor of torch's."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_numpy(value: Any) -> bool:
    """Whether it is an array of NumPy's."""
    return isinstance(value, np.ndarray)


def is_listed(value: Any) -> bool:
    """Whether it is a list or a tuple."""
    return isinstance(value, list | tuple)


def is_array(value: Any) -> bool:
    """Whether it is a tensor or a NumPy array."""
    return is_numpy(value) or is_tensor(value)


def as_numpy(value: Any) -> NDArray[Any] | None:
    """The elements without a copy where that is possible; None where they cannot be read. Call it unwatched."""
    if is_numpy(value):
        return value if value.dtype.kind in "biuf" else None
    try:
        plain = value.detach()
        if plain.device.type != "cpu":
            plain = plain.cpu()
        if plain.dtype.itemsize == 2 and plain.dtype.is_floating_point:
            plain = plain.float()  # NumPy has no bfloat16
        return plain.numpy()
    except (RuntimeError, TypeError, AttributeError):
        return None


def is_float(value: Any) -> bool:
    """Whether the elements are floating-point numbers."""
    return value.dtype.kind == "f" if is_numpy(value) else bool(value.dtype.is_floating_point)


def length(value: Any) -> int:
    """The size of the first axis; 0 for a single number."""
    return int(value.shape[0]) if value.ndim else 0


def size(value: Any) -> int:
    """The number of elements."""
    return value.size if is_numpy(value) else int(value.numel())


def remade(name: str, old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    """The old and the new value of a name, part by part: of lists by position, of dictionaries by key."""
    if is_listed(old) and is_listed(new) and len(old) == len(new):
        return [(f"{name}[{i}]", *both) for i, both in enumerate(zip(old[:_PARTS], new[:_PARTS], strict=True))]
    if type(old) is dict and type(new) is dict:
        before, after = cast("dict[Any, Any]", old), cast("dict[Any, Any]", new)
        return [(f"{name}[{key!r}]", before[key], after[key]) for key in list(after)[:_PARTS] if key in before]
    return [(name, old, new)]


def pointer(value: Any) -> tuple[int, int]:
    """Where the elements lie, and how many they are: equal for an array and its reshaped or turned views."""
    if is_numpy(value):
        return int(value.__array_interface__["data"][0]), value.size
    return int(value.data_ptr()), int(value.numel())


def summarize(value: Any) -> Summary:
    """An array in a few numbers; of a very large one an evenly spread part is looked at."""
    array = as_numpy(value)
    shape = tuple(int(n) for n in value.shape)
    if array is None or array.size == 0:
        return Summary(shape, "unknown" if array is None else array.dtype.name, None, None, None, None, True, False)
    flat = array.reshape(-1) if array.flags.c_contiguous else array.ravel()
    if flat.size > _LOOKED_AT:
        flat = flat[:: flat.size // _LOOKED_AT + 1 | 1]
    name = array.dtype.name
    if array.dtype.kind != "f":
        numbers = flat.astype(np.float64)
        return Summary(shape, name, *_four(numbers), True, True)
    good = np.isfinite(flat)
    finite = bool(good.all())
    numbers = (flat if finite else flat[good]).astype(np.float64)
    if numbers.size == 0:
        return Summary(shape, name, None, None, None, None, False, False)
    return Summary(shape, name, *_four(numbers), finite, bool((numbers == np.rint(numbers)).all()))


def _four(numbers: NDArray[np.float64]) -> tuple[float, float, float, float]:
    return float(numbers.min()), float(numbers.max()), float(numbers.mean()), float(numbers.std())
