"""Single numbers: plain ones, and arrays of one element."""

from typing import Any, cast

import numpy as np

from byhand.doctor.watch.arrays import as_numpy, is_array, is_float, is_tensor

__all__ = ["class_number", "is_number"]


def class_number(value: Any) -> int | None:
    """A whole number out of a tensor of one element, or itself; None where it is none or cannot be read."""
    if not is_tensor(value):
        return int(cast("Any", value)) if isinstance(value, int | np.integer) else None
    array = as_numpy(value) if value.numel() == 1 and not is_float(value) else None
    return None if array is None else int(array.reshape(-1)[0])


def is_number(value: Any) -> bool:
    """Whether a value is a float, or an array of no axes that can be read."""
    if isinstance(value, bool):
        return False
    if isinstance(value, float | np.floating):
        return True
    return is_array(value) and value.ndim == 0 and as_numpy(value) is not None
