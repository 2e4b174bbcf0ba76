"""A folder of pictures, a sub-folder a class, as one array.

One of:
    ``digits/training/0/1.png``, ``digits/training/1/3.png``, …, ``digits/testing/0/3.png``
    ``digits/train/0/…``, ``digits/valid/0/…``, ``digits/test/0/…`` (valid, test or both may be missing)
    ``digits/0/…``, ``digits/1/…`` (no parts)
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from byhand.data.dataset import Raw, Rows
from byhand.data.files import os_fault
from byhand.data.picture import read_bytes
from byhand.data.pictures import decode_all, in_one_array, read_grey, sizes_differ
from byhand.errors import DataError
from byhand.text import one_line

PARTS: Final = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}
"""What a part may be called, and which it is."""

_HIDDEN: Final = {"thumbs.db", "desktop.ini", "__macosx"}  # left by Windows and macOS, without a dot
_PIECE: Final = 1 << 22  # bytes of pictures that are decoded at a time


class Tree(NamedTuple):
    """What a folder holds: for each part, for each class in order, its files in order."""

    classes: tuple[str, ...]
    parts: dict[str, list[list[str]]]  # "train" | "valid" | "test" → one list of paths a class

    def files(self) -> list[str]:
        """Every file, in the order in which it is read."""
        return [file for part in self.parts.values() for files in part for file in files]


def read_image_folder(path: str | Path, size: int | None = None, grayscale: bool = False) -> Raw:
    """The pictures below ``path`` and their labels, the index of the class in natural order: 9 before 10.

    Within a class the files come by length of name, then name, so that ``2.png`` stands before ``10.png``.

    Args:
        path: a folder in one of the three layouts above.
        size: resize each picture to ``size``×``size`` (antialiased; each side by its own factor).
        grayscale: make grey what cannot be made grey exactly; see :func:`byhand.data.picture.to_grey`.

    Raises:
        DataError: a file that is no PNG or JPEG, damaged, coloured or of another size, an empty class, classes that
            differ between the parts, no permission. The message names the file or folder.
        ValueError: ``size`` is not positive.
    """
    if size is not None and size < 1:
        raise ValueError(f"size is {size}; it is a number of pixels, at least 1")
    tree = list_images(path)
    rows = {
        part: in_one_array(classes[0][0], sum(map(len, classes)), folder_rows(classes, size, grayscale))
        for part, classes in tree.parts.items()
    }
    train = rows["train"]
    for part, other in rows.items():
        if other.images.shape[1:] != train.images.shape[1:]:
            raise sizes_differ(tree.parts[part][0][0], other.images.shape[1:], train.images.shape[1:])
    return Raw(train, rows.get("valid"), rows.get("test"), tree.classes)


def list_images(path: str | Path) -> Tree:
    """The layout of an image folder: its parts, classes and files, without opening any file.

    Raises:
        DataError: the folder has none of the layouts, an empty class, or parts with different classes.
    """
    root = str(path)
    folders = _folders(root)
    if not _has_parts(folders):
        classes, files = _classes(folders)
        return Tree(classes, {"train": files})

    parts: dict[str, list[list[str]]] = {}
    classes: tuple[str, ...] = ()
    for name in sorted(folders, key=_part_order):
        folder, part = folders[name], PARTS.get(name.lower())
        if part is None:
            raise DataError(
                f"{one_line(folder)}: stands beside {', '.join(sorted(parts))} but is no part; move it away"
            )
        if part in parts:
            raise DataError(f"{one_line(folder)}: a second {part} part; keep one of the two")
        found, parts[part] = _classes(_folders(folder))
        classes = classes or found
        if found != classes:
            odd = min(set(found) ^ set(classes), key=_natural)
            where = "only" if odd in found else "not"
            raise DataError(f"{one_line(folder)}: class {odd!r} is {where} in this part; every part needs every class")
    return Tree(classes, parts)


def folder_rows(classes: list[list[str]], size: int | None, grayscale: bool, first: int = 0) -> Iterator[Rows]:
    """The pictures of a part in pieces of some megabytes, from row ``first`` on; each must have the first one's size.

    Raises:
        DataError: as ``read_image_folder``; while reading.
    """
    files = [file for files in classes for file in files]
    labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(files) for files in classes])  # (N,)
    height, width = read_grey(read_bytes(files[0]), files[0], size, grayscale).shape
    length = max(1, _PIECE // (height * width))
    for start in range(first, len(files), length):
        some = [(file, read_bytes(file)) for file in files[start : start + length]]
        yield Rows(decode_all(some, (height, width), size, grayscale), labels[start : start + length])


def _has_parts(folders: dict[str, str]) -> bool:
    # "train" can also be a class, beside "car" and "bus"; a part holds folders, a class holds pictures.
    inside = [_entries(folder) for name, folder in folders.items() if PARTS.get(name.lower()) == "train"]
    return any(below or not files for below, files in inside)


def _part_order(name: str) -> int:
    # Train, valid, test; what is no part comes last, so that its message can say beside what it stands.
    return list(PARTS).index(name.lower()) if name.lower() in PARTS else len(PARTS)


def _classes(folders: dict[str, str]) -> tuple[tuple[str, ...], list[list[str]]]:
    names = sorted(folders, key=_natural)
    return tuple(names), [_pictures(folders[name]) for name in names]


def _pictures(folder: str) -> list[str]:
    folders, files = _entries(folder)
    if folders:
        inner = folders[min(folders)]
        raise DataError(f"{one_line(inner)}: a folder inside a class folder; move its pictures up, or move it away")
    if not files:
        raise DataError(f"{one_line(folder)}: an empty class folder; put PNG or JPEG pictures into it, or remove it")
    return [files[name] for name in sorted(files, key=lambda name: (len(name), name))]


def _folders(folder: str) -> dict[str, str]:
    folders, files = _entries(folder)
    stray = min((name for name in files if name.lower().endswith((".png", ".jpg", ".jpeg"))), default=None)
    if stray is not None:
        raise DataError(f"{one_line(files[stray])}: outside a class folder; move it into the folder of its class")
    if not folders:
        raise DataError(f"{one_line(folder)}: has no class folders; make a sub-folder of pictures for each class")
    return folders


def _entries(folder: str) -> tuple[dict[str, str], dict[str, str]]:
    folders: dict[str, str] = {}
    files: dict[str, str] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.name.lower() not in _HIDDEN:
                    (folders if entry.is_dir() else files)[entry.name] = entry.path
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        fault = error if isinstance(error, OSError) else OSError(0, "a path cannot hold a NUL character")
        raise os_fault(Path(folder), fault) from error
    return folders, files


def _natural(name: str) -> tuple[list[str | int], str]:
    # Text and numbers alternate, text first, so that two keys never compare a number with a text.
    return [int(part) if odd % 2 else part for odd, part in enumerate(re.split("([0-9]+)", name))], name
