"""Making shards of any source, in pieces, so that its size does not matter, and going on where that was left.

    gather   read the source from first to last; keep images, labels and row digests in files of 64 MiB, in ``.making``
    assign   which row goes to which part: from labels and digests alone, as ``split`` does it in memory
    deal     write the shards of each part; those of the training part take their rows in a random order
    sign     write ``shards.json``, which makes a folder one of shards, and remove ``.making``

Each file is written whole or not at all, and what is there is not made again: after a kill the same command goes on.
In memory are 72 bytes a row beside a piece or a shard.
"""

import hashlib
import io
import json
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from byhand import locks
from byhand.data.content import content_hash, row_digests
from byhand.data.dataset import Rows
from byhand.data.deform import STRENGTH, deform
from byhand.data.files import faults
from byhand.data.fingerprint import fingerprint
from byhand.data.labels import MAX_LABEL, index_labels
from byhand.data.manifest import is_sharded, manifest
from byhand.data.shards import MANIFEST
from byhand.data.split import TEST, TRAIN, VALID, assign, check_settings
from byhand.data.streams import Stream
from byhand.errors import DataError, UsageError
from byhand.files import is_left, read_at_most, write_atomically
from byhand.json_text import json_text, parsed
from byhand.text import brief, one_line

__all__ = ["Choices", "shard"]

_MAKING: Final = ".making"
_SIZE: Final = 64 << 20  # bytes of the images of a shard, or of a piece of the source
_NUMBERS: Final = tuple(map(str, range(MAX_LABEL + 1)))
_PARTS: Final = (("train", TRAIN), ("valid", VALID), ("test", TEST))


@final
@dataclass(frozen=True, slots=True)
class Choices:
    """How a source is split and what is added: the same choices make the same files."""

    valid: float = 0.1
    seed: int = 42
    size: int | None = None
    grayscale: bool = False
    deformed: int = 0  # deformed versions of each training image


@final
@dataclass(frozen=True, slots=True)
class _Gathered:
    """The rows of one part of the source."""

    images: list[NDArray[np.uint8]]  # of each piece (n, H, W), mapped
    labels: NDArray[np.int64]  # (N,)
    digests: NDArray[np.uint8]  # (N, 32)

    def take(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        """The images (n, H, W) of some rows (n,)."""
        length = len(self.images[0])
        taken = np.empty((len(rows), *self.images[0].shape[1:]), np.uint8)
        pieces = rows // length
        for piece in np.unique(pieces):
            places = np.flatnonzero(pieces == piece)
            taken[places] = self.images[piece][rows[places] - piece * length]
        return taken


@final
@dataclass(frozen=True, slots=True)
class _Dealt:
    """The rows of one part of the shards: version 0 of each, then version 1 of each, and so on."""

    source: _Gathered
    labels: NDArray[np.int64]  # (N,) of the source's rows, an index into the classes
    order: NDArray[np.intp]  # (n,) which of them, in which order
    versions: int
    seed: int

    def rows(self, start: int, stop: int) -> Rows:
        """Rows ``start`` to ``stop`` of the ``versions`` · n."""
        n, found = len(self.order), list[Rows]()
        for version in range(start // n, (stop - 1) // n + 1):
            first = max(start - version * n, 0)
            chosen = self.order[first : min(stop - version * n, n)]
            images = self.source.take(chosen)
            found.append(Rows(deform(images, first, version, self.seed), self.labels[chosen]))
        return _joined(found)


def shard(
    source: str,
    stream: Stream,
    folder: Path,
    choices: Choices,
    classes: tuple[str, ...] | None,
    tell: Callable[[str, int], None],
) -> None:
    """Make a folder of shards, or go on making it.

    Args:
        source: what to call it in messages.
        stream: what it holds.
        folder: where to; made if it is missing.
        choices: how.
        classes: names in the place of those that the source has, or None.
        tell: is given what was done, "read" or "written", and how many images of it.

    Raises:
        UsageError: the folder holds something else, or a choice is out of range.
        DataError: the source cannot be read, or nothing can be written.
    """
    check_settings(choices.valid, choices.seed)
    if choices.deformed < 0:
        raise UsageError(f"deformed={choices.deformed}: give the number of versions to add, from 0 up")
    with faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locks.held(folder):
        making = _begin(folder, source, stream, choices)
        pools: dict[str, _Gathered] = {}
        for name in stream.parts:
            pools[name] = _gather(source, making, name, stream, pools.get("train"), tell)
        parts, old = _assign(source, stream, pools, choices)
        dealt = {name: _deal(folder, name, part, old, tell) for name, part in parts.items()}
        names = classes or old
        described = {
            name: (content_hash(rows, names), counts, shards) for name, (rows, counts, shards) in dealt.items()
        }
        whole = content_hash(np.concatenate([digests for digests, _, _ in dealt.values()]), old)
        _, height, width = pools["train"].images[0].shape
        about = {"source": source, **_as_told(choices)}
        write_atomically(folder / MANIFEST, manifest((height, width), names, whole, described, about))
        shutil.rmtree(making, ignore_errors=True)


def _as_told(choices: Choices) -> dict[str, object]:
    told: dict[str, object] = asdict(choices)
    return told | ({"strength": asdict(STRENGTH)} if choices.deformed else {})


def _begin(folder: Path, source: str, stream: Stream, choices: Choices) -> Path:
    """The folder of what is half made, which is for this source and these choices."""
    making, about = folder / _MAKING, folder / _MAKING / "about.json"
    told = {"source": source, "files": fingerprint(stream.files)[0], **_as_told(choices)}
    with faults(folder):
        if is_sharded(folder):
            shutil.rmtree(making, ignore_errors=True)  # if it was killed just before
            raise UsageError(f"{one_line(folder)} holds shards already; name another folder with -o")
        if about.exists():
            try:
                same = parsed(read_at_most(about, 1 << 20)) == json.loads(json_text(told))
            except ValueError:
                same = False
            if not same:
                raise UsageError(
                    f"{one_line(folder)} is half made of another source or with other choices, or the source has "
                    "changed; name another folder with -o, or remove it"
                )
            for file in [*folder.iterdir(), *making.iterdir()]:
                if is_left(file):
                    file.unlink()
            return making
        if any(entry.name not in (locks.LOCK, _MAKING) for entry in folder.iterdir()):
            raise UsageError(f"{one_line(folder)} is not empty; name another folder with -o, so that nothing is lost")
        making.mkdir(exist_ok=True)
    write_atomically(about, json_text(told).encode())
    return making


def _gather(
    source: str, making: Path, name: str, stream: Stream, like: _Gathered | None, tell: Callable[[str, int], None]
) -> _Gathered:
    """Read a part of the source into files, whose images have one size; what was read before is not read again."""
    done = making / f"{name}.read"
    pieces = [making / f"{name}-{number:05}" for number in range(len(list(making.glob(f"{name}-*.digests.npy"))))]
    if not done.exists():
        first = sum(len(_mapped(piece, "labels")) for piece in pieces)
        shape = _mapped(pieces[0], "images").shape[1:] if pieces else None if like is None else like.images[0].shape[1:]
        tell("read", first)
        for rows in _cut(source, stream.parts[name](first), shape):
            if stream.classes is None and not 0 <= rows.labels.min() <= rows.labels.max() <= MAX_LABEL:
                index_labels(source, rows)  # says which label it is
            piece = making / f"{name}-{len(pieces):05}"
            _save(piece, "images", rows.images)
            _save(piece, "labels", rows.labels)
            _save(piece, "digests", row_digests(rows, stream.classes or _NUMBERS))  # last: then the piece is whole
            pieces.append(piece)
            tell("read", len(rows.labels))
        write_atomically(done, b"")
    columns = ([_mapped(piece, kind) for piece in pieces] for kind in ("labels", "digests"))
    labels, digests = map(np.concatenate, columns)
    return _Gathered([_mapped(piece, "images") for piece in pieces], labels, digests)


def _cut(source: str, stream: Iterable[Rows], shape: tuple[int, ...] | None) -> Iterator[Rows]:
    """Pieces of one size, but for the last."""
    kept, count = list[Rows](), 0
    for rows in stream:
        shape = shape or rows.images.shape[1:]
        if rows.images.shape[1:] != shape:
            raise DataError(
                f"{one_line(source)}: holds images of {shape} and of {rows.images.shape[1:]}; one size is needed"
            )
        length = _length(shape)
        start = 0
        while start < len(rows.labels):
            end = min(len(rows.labels), start + length - count)
            kept.append(Rows(rows.images[start:end], rows.labels[start:end]))
            count, start = count + end - start, end
            if count == length:
                yield _joined(kept)
                kept, count = [], 0
    if kept:
        yield _joined(kept)


def _joined(rows: list[Rows]) -> Rows:
    return Rows(np.concatenate([r.images for r in rows]), np.concatenate([r.labels for r in rows]))


def _length(shape: tuple[int, ...]) -> int:
    return max(1, _SIZE // math.prod(shape))


def _assign(
    source: str, stream: Stream, pools: Mapping[str, _Gathered], choices: Choices
) -> tuple[dict[str, _Dealt], tuple[str, ...]]:
    """The three parts, and the classes."""
    labels = {name: pool.labels for name, pool in pools.items()}
    classes = stream.classes
    if classes is None:
        bare = {name: Rows(pool.images[0][:0], pool.labels) for name, pool in pools.items()}
        raw = index_labels(source, bare["train"], bare.get("test"), bare.get("valid"))
        classes = raw.classes
        labels = {name: rows.labels for name, rows in raw.parts().items()}
    own = "valid" in pools, "test" in pools
    part = assign(source, labels["train"], pools["train"].digests, classes, own, choices.valid, choices.seed)  # (N,)
    parts: dict[str, _Dealt] = {}
    for name, number in _PARTS:
        where = name if name in pools else "train"
        order = np.flatnonzero(part == number) if where == "train" else np.arange(len(labels[name]))
        if name == "train":
            order = np.random.Generator(np.random.PCG64([choices.seed, 1])).permutation(order)
        versions = 1 + choices.deformed if name == "train" else 1
        parts[name] = _Dealt(pools[where], labels[where], order, versions, choices.seed)
    return parts, classes


def _deal(
    folder: Path, name: str, dealt: _Dealt, classes: tuple[str, ...], tell: Callable[[str, int], None]
) -> tuple[NDArray[np.uint8], list[int], list[dict[str, object]]]:
    """Write the shards of a part: their digests (n, 32), the rows of each class, and what the manifest says of each."""
    total, length = len(dealt.order) * dealt.versions, _length(dealt.source.images[0].shape[1:])
    shards: list[dict[str, object]] = []
    digests = [np.empty((0, 32), np.uint8)]
    for number, start in enumerate(range(0, total, length)):
        shard = f"{name}-{number:05}"
        stop = min(start + length, total)
        note = folder / _MAKING / f"{shard}.json"
        if not note.exists():
            rows = dealt.rows(start, stop)
            sums = [_save(folder / shard, "images", rows.images), _save(folder / shard, "labels", rows.labels)]
            _save(folder / _MAKING / f"of-{shard}", "digests", row_digests(rows, classes))
            write_atomically(note, json_text({"name": shard, "rows": stop - start, "sha256": sums}).encode())
        shards.append(parsed(note.read_bytes()))
        digests.append(_mapped(folder / _MAKING / f"of-{shard}", "digests"))
        tell("written", stop - start)
    counts = np.bincount(dealt.labels[dealt.order], minlength=len(classes)) * dealt.versions
    return np.concatenate(digests), counts.tolist(), shards


def _save(path: Path, kind: str, array: NDArray[Any]) -> str:
    """Write ``PATH.KIND.npy``; its SHA-256."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    write_atomically(path.with_name(f"{path.name}.{kind}.npy"), lambda out: out.write(file.getbuffer()))
    return hashlib.sha256(file.getbuffer()).hexdigest()


def _mapped(path: Path, kind: str) -> NDArray[Any]:
    """The array of ``PATH.KIND.npy``, mapped into memory.

    Raises:
        DataError: it is gone or damaged.
    """
    file = path.with_name(f"{path.name}.{kind}.npy")
    try:
        with faults(file):
            return np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(
            f"{one_line(file)}: is damaged ({brief(error)}); remove {one_line(path.parent)}, begin anew"
        ) from error
