"""``shards.json``: what a folder of shards holds, written last and read first."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from byhand.data.files import faults, open_file
from byhand.data.npy_header import read_header
from byhand.data.shards import MANIFEST, Column, Sharded, Shards, changed
from byhand.errors import DataError
from byhand.files import read_at_most
from byhand.json_text import digest, json_text, parsed
from byhand.text import brief, one_line

_SCHEMA: Final = "byhand.shards/1"
_MOST: Final = 16 << 20  # bytes of a manifest: 80,000 shards


def is_sharded(path: Path) -> bool:
    """Whether a folder holds shards.

    Raises:
        DataError: it cannot be looked into.
    """
    with faults(path):
        return (path / MANIFEST).is_file()


def open_shards(source: str, path: Path) -> Sharded:
    """The data set in a folder of shards. Of each file the header and the size are checked; ``check`` reads them all.

    Raises:
        DataError: the manifest is damaged, or a file is missing or not what the manifest says.
    """
    file = path / MANIFEST
    try:
        with faults(file):
            told: Any = parsed(read_at_most(file, _MOST))
        if told["schema"] != _SCHEMA:
            raise ValueError(f"its schema is not {_SCHEMA!r}")
        if told.pop("sha256") != digest(told):
            raise ValueError("its checksum is another")
        height, width = map(_whole_number, told["shape"])
        classes = tuple(_text(name) for name in told["classes"])
        if len(classes) < 2 or not height or not width:
            raise ValueError("fewer than two classes, or no pixels")
        train, valid, test = (
            _part(path, told["parts"][name], (height, width), classes) for name in ("train", "valid", "test")
        )
        if not len(train):
            raise ValueError("there is no training image")
        return Sharded(source, train, valid, test, classes, _text(told["hash"]))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{one_line(file)}: is damaged ({brief(error)}); make the shards again") from error


def manifest(
    shape: tuple[int, int],
    classes: Sequence[str],
    whole: str,
    parts: Mapping[str, tuple[str, Sequence[int], Sequence[Mapping[str, object]]]],
    origin: Mapping[str, object],
) -> bytes:
    """The text of ``shards.json``.

    Args:
        shape: H, W.
        classes: C names.
        whole: the hash of all rows.
        parts: of "train", "valid" and "test" each the hash, the counts of the classes (C,) and, for each shard, its
            ``name``, ``rows``, and ``sha256`` of the two files.
        origin: what it was made of, for people.
    """
    described = {
        name: {"hash": digest, "counts": counts, "shards": shards} for name, (digest, counts, shards) in parts.items()
    }
    told = {"schema": _SCHEMA, "shape": shape, "classes": classes, "hash": whole, "origin": origin, "parts": described}
    return json_text(told | {"sha256": digest(told)}, indent=1).encode() + b"\n"


def _part(path: Path, told: Any, shape: tuple[int, int], classes: tuple[str, ...]) -> Shards:
    columns: list[tuple[Column, Column]] = []
    starts = [0]
    for shard in told["shards"]:
        name, rows = _text(shard["name"]), _whole_number(shard["rows"])
        if not rows or not name.replace("-", "").isalnum():  # no path that leads elsewhere
            raise ValueError(f"a shard {name!r} of {rows} rows")
        images, labels = shard["sha256"]
        columns.append(
            (
                _column(path / f"{name}.images.npy", (rows, *shape), np.dtype(np.uint8), _text(images)),
                _column(path / f"{name}.labels.npy", (rows,), np.dtype(np.int64), _text(labels)),
            )
        )
        starts.append(starts[-1] + rows)
    counts = tuple(map(_whole_number, told["counts"]))
    if len(counts) != len(classes) or sum(counts) != starts[-1]:
        raise ValueError("its counts are not those of its shards")
    return Shards(tuple(columns), tuple(starts), shape, counts, classes, _text(told["hash"]))


def _column(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], sha256: str) -> Column:
    with open_file(path) as file:
        try:
            found = read_header(file)
        except ValueError as error:
            raise DataError(f"{one_line(path)}: is no .npy file ({brief(error)}); make the shards again") from error
        status, offset, row = os.fstat(file.fileno()), file.tell(), math.prod(shape[1:]) * dtype.itemsize
        if found != (shape, False, dtype) or status.st_size != offset + shape[0] * row:
            raise changed(path, f"it is no array of {shape} {dtype} of {status.st_size:,} bytes")
        return Column(path, offset, row, status.st_mtime_ns, sha256)


def _whole_number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**48:
        raise ValueError(f"{value!r} is no number of rows or pixels")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
