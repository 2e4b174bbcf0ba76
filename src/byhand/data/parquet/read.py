"""Parquet as Hugging Face lays it out: a column of pictures, PNG or JPEG, and one of labels.

    image    struct<bytes: binary, path: string>, or binary
    label    integers; the names of the classes stand in the metadata, key ``huggingface``, if anywhere:
             {"info": {"features": {"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}}}

in one file of any name, or in ``train-00000-of-00002.parquet``, ``train-00001-of-00002.parquet``,
``test-00000-of-00001.parquet``, with ``validation-…`` or without.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from byhand.data.dataset import Raw, Rows
from byhand.data.files import faults
from byhand.data.folder import PARTS
from byhand.data.labels import index_labels
from byhand.data.parquet.columns import batches, opened
from byhand.data.pictures import decode_all, in_one_array, read_grey
from byhand.errors import DataError
from byhand.text import one_line

__all__ = ["find_parquet", "parquet_classes", "parquet_rows", "read_parquet"]

_NAME: Final = re.compile(r"([a-z]+)(?:-([0-9]{1,9})-of-([0-9]{1,9})(?:-[0-9a-f]+)?)?\.parquet")
_PARTS: Final = {**PARTS, "dev": "valid"}
_BLOCK: Final = 2**26  # bytes of pixels of a block


def find_parquet(folder: str | Path) -> dict[str, list[Path]] | None:
    """The files of a folder, in order, for each part: "train", and "valid" and "test" where there are such.

    They lie in the folder itself, else in ``data`` below it, else in the only folder below it that holds a training
    part. None where there is no training part.

    Raises:
        DataError: a folder cannot be read, a file of a part is missing, or several folders hold a training part.
    """
    folder = Path(folder)
    with faults(folder):
        for place in (folder, folder / "data"):
            parts = _parts(place) if place.is_dir() else {}
            if "train" in parts:
                return parts
        with os.scandir(folder) as entries:
            below = sorted(entry.path for entry in entries if entry.is_dir() and not entry.name.startswith("."))
        found = {path: parts for path in below if "train" in (parts := _parts(Path(path)))}
    if len(found) > 1:
        names = ", ".join(one_line(os.path.basename(path)) for path in list(found)[:8])
        raise DataError(f"{one_line(folder)}: holds several data sets ({names}); name the folder of one of them")
    return next(iter(found.values()), None)


def parquet_classes(file: str | Path) -> tuple[str, ...] | None:
    """The names of the classes in the metadata of a file; None where it holds none.

    Raises:
        DataError: the file is damaged, its columns are others, or pyarrow is not installed.
    """
    with opened(Path(file)) as source:
        return source.classes


def parquet_rows(
    files: list[Path], size: int | None, grayscale: bool, shape: tuple[int, int] | None = None
) -> Iterator[Rows]:
    """The images and labels of the files in blocks of 1 to 4096 rows. Labels are as they stand in the file.

    Memory does not grow with the files: it holds a few pages, each at most 256 MiB and in most files one, a batch of
    packed pictures (256 MiB, or one picture) and a block of pixels (64 MiB, or one picture).

    Args:
        files: in order.
        size: resize each picture to ``size``×``size``.
        grayscale: make grey what cannot be made grey exactly; see :func:`byhand.data.picture.to_grey`.
        shape: H, W, that each picture must have; None for those of the first one.

    Raises:
        DataError: a file is damaged, or its columns are others; a picture is no PNG or JPEG, coloured, or of another
            size; a label is missing, or outside the names. The message names the file and the row, the first of which
            is row 1.
    """
    for path in files:
        with opened(path) as source:
            row = 0
            for pictures, labels in batches(source):
                if shape is None:
                    first = read_grey(pictures[0], f"{path}, row 1", size, grayscale)
                    shape = (first.shape[0], first.shape[1])
                step = max(1, _BLOCK // (shape[0] * shape[1]))
                for start in range(0, len(labels), step):
                    cut = slice(start, start + step)
                    named = [(f"{path}, row {row + n + 1}", pictures[n]) for n in range(len(labels))[cut]]
                    yield Rows(decode_all(named, shape, size, grayscale), labels[cut])
                row += len(labels)


def read_parquet(path: str | Path, size: int | None = None, grayscale: bool = False) -> Raw:
    """The images and labels of a file, all of them training rows, or of the files that ``find_parquet`` finds.

    Labels index the names in the metadata; without names, each label that occurs is named by its number.

    Raises:
        DataError: as ``parquet_rows``; or the images of a part take more than 2 GiB, or the files' names differ.
    """
    path = Path(path)
    with faults(path):
        parts = find_parquet(path) if path.is_dir() else {"train": [path]}
    if parts is None:
        raise DataError(f"{one_line(path)}: holds no train.parquet or train-00000-of-….parquet; name the file")
    classes, counts = _count(parts)

    def read(part: str, shape: tuple[int, int] | None = None) -> Rows:
        return in_one_array(parts[part][0], counts[part], parquet_rows(parts[part], size, grayscale, shape))

    train = read("train")
    _, height, width = train.images.shape
    valid, test = (read(part, (height, width)) if part in parts else None for part in ("valid", "test"))
    return index_labels(str(path), train, test, valid) if classes is None else Raw(train, valid, test, classes)


def _parts(folder: Path) -> dict[str, list[Path]]:
    """The files of one folder, in order, for each part."""
    found: dict[str, dict[int, Path]] = {}
    counts: dict[str, int] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            name = _NAME.fullmatch(entry.name) if entry.name.endswith(".parquet") else None
            part = _PARTS.get(name[1]) if name else None
            if name is None or part is None or not entry.is_file():
                continue
            number, count = int(name[2] or 0), int(name[3] or 1)
            if number in found.setdefault(part, {}) or counts.setdefault(part, count) != count:
                raise DataError(f"{one_line(entry.path)}: stands beside another {part} part; keep one of the two")
            found[part][number] = Path(entry.path)
    for part, files in found.items():
        numbers = sorted(files)
        if numbers != list(range(counts[part])):
            missing = next(place for place, number in enumerate([*numbers, -1]) if place != number)
            all_ = f"the {counts[part]:,} of this part"
            raise DataError(
                f"{one_line(files[numbers[0]])}: file {missing:05} of {all_} is missing; get it"
                if missing < counts[part]
                else f"{one_line(files[numbers[-1]])}: is more than {all_}; move it away"
            )
    order = [part for part in ("train", "valid", "test") if part in found]
    return {part: [found[part][number] for number in sorted(found[part])] for part in order}


def _count(parts: dict[str, list[Path]]) -> tuple[tuple[str, ...] | None, dict[str, int]]:
    """The names of the classes, which all files must have, and how many rows each part has."""
    counts = dict.fromkeys(parts, 0)
    known: list[tuple[str, ...] | None] = []
    for part, files in parts.items():
        for file in files:
            with opened(file) as source:
                known.append(source.classes)
                counts[part] += source.rows
            if known[-1] != known[0]:
                first = one_line(parts["train"][0].name)
                raise DataError(f"{one_line(file)}: names other classes than {first}; keep the files of one data set")
    return known[0], counts
