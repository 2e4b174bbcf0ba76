"""The file of one cache entry: arrays in the safetensors format, so that any tool of the field opens it.

    8 bytes          the length of the header, little-endian
    header           JSON: for each array its type, shape and place; ``__metadata__``: key, hash, classes, parts, check
    labels           (N,)       int64
    digests          (N, 32)    uint8
    images           (N, H, W)  uint8

Reading maps the images copy-on-write: nothing is copied, a write to the array never reaches the file, and torch does
not warn of an array that it must not write to.
"""

import json
import mmap
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from byhand.data.content import Content, row_digests
from byhand.data.dataset import Raw, Rows
from byhand.json_text import digest
from byhand.tensor_file import head

_MAX_HEADER: Final = 1 << 20
_SAMPLE: Final = 64  # rows whose digests are computed again when a file is opened


def write_stored(file: BinaryIO, key: str, content: Content) -> None:
    """Writes an entry to an open, empty file.

    Raises:
        OSError: the disk is full or fails.
    """
    raw, digests, whole = content
    parts = raw[:3]
    rows = [part for part in parts if part is not None]
    count = sum(len(part.labels) for part in rows)
    lengths = [None if part is None else len(part.labels) for part in parts]
    about = {"key": key, "hash": whole, "classes": json.dumps(raw.classes), "parts": json.dumps(lengths)}
    images = (count, *raw.train.images.shape[1:])
    arrays = [[part.labels for part in rows], digests, [part.images for part in rows]]
    about["check"] = digest(about, *map(_bytes, arrays[0] + arrays[1]))
    file.write(head({"labels": ("I64", (count,)), "digests": ("U8", (count, 32)), "images": ("U8", images)}, about))
    for several in arrays:
        file.writelines(map(_bytes, several))


def read_stored(path: Path, key: str) -> Content | None:
    """The entry in ``path``, its images mapped; None if there is none, or it is damaged or another's.

    Every bit of it is checked but the pixels: of these, 64 rows spread over the whole. The others are not looked at,
    since that would cost as much as reading the source.
    """
    try:
        with open(path, "rb") as file:
            whole = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), np.uint8)
        length = int.from_bytes(whole[:8].tobytes(), "little")
        if length > min(_MAX_HEADER, len(whole) - 8):
            return None
        header = json.loads(whole[8 : 8 + length].tobytes())
        data = whole[8 + length :]
        labels = _array(header, data, "labels", "I64", np.dtype(np.int64))
        digests = _array(header, data, "digests", "U8", np.dtype(np.uint8))
        images = _array(header, data, "images", "U8", np.dtype(np.uint8))
        about = header["__metadata__"]
        classes = tuple(str(name) for name in json.loads(about["classes"]))
        lengths: list[int | None] = json.loads(about["parts"])
        ends = np.cumsum([length or 0 for length in lengths]).tolist()
        sound = (
            about["key"] == key
            and about.pop("check") == digest(about, _bytes(labels), _bytes(digests))
            and labels.nbytes + digests.nbytes + images.nbytes == len(data)
            and len(lengths) == 3
            and lengths[0] is not None
            and images.ndim == 3
            and labels.shape == (ends[2],)
            and digests.shape == (ends[2], 32)
            and len(images) == ends[2]
            and labels.min() >= 0
            and labels.max() < len(classes)
        )
        if not sound:
            return None
        some = np.linspace(0, len(images) - 1, _SAMPLE).astype(np.intp)
        if not np.array_equal(row_digests(Rows(images[some], labels[some]), classes), digests[some]):
            return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    cuts = [None if length is None else slice(end - length, end) for length, end in zip(lengths, ends, strict=True)]
    train, valid, test = (None if cut is None else Rows(images[cut], labels[cut]) for cut in cuts)
    if train is None:
        return None
    return Content(Raw(train, valid, test, classes), [digests[cut] for cut in cuts if cut is not None], about["hash"])


def _bytes(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _array(header: Any, data: NDArray[np.uint8], name: str, kind: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A view of one array of the file; ValueError where the header and the bytes do not agree."""
    about = header[name]
    start, end = about["data_offsets"]
    if about["dtype"] != kind or not 0 <= start <= end <= len(data):
        raise ValueError(name)
    return data[start:end].view(dtype).reshape(about["shape"])
