"""The head of a safetensors file, so that what follows it can be written from where it stands, without a second copy.

    8 bytes   the length of the header, little-endian
    header    JSON: for each tensor its type, shape and place; ``__metadata__``: texts; blanks up to a multiple of 64
    the tensors' bytes, one after the other

Source: https://github.com/huggingface/safetensors#format
"""

import json
import math
from collections.abc import Mapping
from typing import Final

__all__ = ["WIDTHS", "head"]

WIDTHS: Final = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "C64": 8, "BOOL": 1,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1,
}  # fmt: skip
"""Bytes of a number of each type."""


def head(tensors: Mapping[str, tuple[str, tuple[int, ...]]], metadata: Mapping[str, str]) -> bytes:
    """What stands before the tensors' bytes.

    Args:
        tensors: type and shape by name, in the order in which the bytes follow. With the widest types first each begins
            at a multiple of its width.
        metadata: texts by name.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    place = 0
    for name, (dtype, shape) in tensors.items():
        end = place + math.prod(shape) * WIDTHS[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": (place, end)}
        place = end
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % 64)
    return len(text).to_bytes(8, "little") + text
