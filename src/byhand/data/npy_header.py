"""The header of an ``.npy`` array, by NumPy, whose many ways to refuse one become a single kind of error."""

import tokenize
import warnings
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy

_NO_HEADER: Final = (EOFError, TypeError, SyntaxError, MemoryError, RecursionError, tokenize.TokenError)


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The shape, whether it is in Fortran's order, and the type; the file then stands at the first number.

    Raises:
        ValueError: there is no sound header.
        OSError: the file cannot be read.
    """
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy warns of old spellings, which it reads
            shape, fortran, dtype = read(file)
    except _NO_HEADER as error:
        raise ValueError(f"no header of an array: {error}") from error
    if any(length < 0 for length in shape):
        raise ValueError(f"a length below zero: {shape}")
    return shape, fortran, dtype
