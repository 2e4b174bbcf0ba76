import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open

from byhand.data import cache
from byhand.data.cache import cached
from byhand.data.content import Content, content_hash, row_digests
from byhand.data.dataset import Raw, Rows
from byhand.data.fingerprint import fingerprint
from byhand.errors import DataError

_CLASSES = ("null", "ei\nns", "\udcff")  # what folders may be called


def _rows(seed: int, count: int) -> Rows:
    rng = np.random.default_rng(seed)
    return Rows(rng.integers(0, 256, (count, 5, 4), np.uint8), rng.integers(0, 3, count))


_RAW = Raw(_rows(0, 90), None, _rows(1, 30), _CLASSES)


class Reader:
    """Counts how often the source is decoded."""

    def __init__(self, raw: Raw = _RAW) -> None:
        self.raw, self.count = raw, 0

    def __call__(self) -> Raw:
        self.count += 1
        return self.raw


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source"
    file.write_bytes(b"one")
    settle()
    return file


@pytest.fixture
def entries(home: Path) -> Path:
    return home / "byhand" / "decoded"


def settle() -> None:
    """Waits until a file written just now is old enough to be cached."""
    time.sleep(0.03)


def _equal(one: Raw, other: Raw) -> None:
    assert one.classes == other.classes
    for rows, others in zip(one[:3], other[:3], strict=True):
        assert (rows is None) == (others is None)
        if rows is not None and others is not None:
            np.testing.assert_array_equal(rows.images, others.images)
            np.testing.assert_array_equal(rows.labels, others.labels)


def _base(array: NDArray) -> object:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.base


@pytest.mark.parametrize("raw", [_RAW, _RAW._replace(valid=_rows(2, 7)), _RAW._replace(test=None)])
def test_the_second_read_is_a_map_of_the_same(source: Path, raw: Raw) -> None:
    read = Reader(raw)
    first, second = (cached([source], {"a": 1}, read) for _ in range(2))
    assert read.count == 1
    for stored in (first, second):
        _equal(stored.raw, raw)
        parts = [rows for rows in raw[:3] if rows is not None]
        assert len(stored.digests) == len(parts)
        for digests, rows in zip(stored.digests, parts, strict=True):
            np.testing.assert_array_equal(digests, row_digests(rows, raw.classes))
    whole = np.concatenate([row_digests(rows, raw.classes) for rows in parts])
    assert first.hash == second.hash == content_hash(whole, raw.classes)
    assert isinstance(_base(second.raw.train.images), memoryview)
    assert second.raw.train.images.flags.c_contiguous


def test_torch_takes_the_map_without_a_warning_and_the_file_stays_as_it_is(source: Path) -> None:
    read = Reader()
    cached([source], {}, read)
    images = cached([source], {}, read).raw.train.images
    torch.from_numpy(images).fill_(7)
    assert images[0, 0, 0] == 7
    _equal(cached([source], {}, read).raw, _RAW)
    assert read.count == 1


def test_the_format_is_safetensors(source: Path, entries: Path) -> None:
    cached([source], {}, Reader())
    (file,) = entries.iterdir()
    with safe_open(file, "np") as opened:
        assert sorted(opened.keys()) == ["digests", "images", "labels"]
        np.testing.assert_array_equal(opened.get_tensor("images")[:90], _RAW.train.images)
        np.testing.assert_array_equal(opened.get_tensor("labels")[:90], _RAW.train.labels)


def _append(file: Path) -> None:
    file.write_bytes(b"more")


def _same_size(file: Path) -> None:
    file.write_bytes(b"two")


def _same_size_and_age(file: Path) -> None:
    status = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def _another_file(file: Path) -> None:
    status = file.stat()
    other = file.with_name("other")
    other.write_bytes(b"two")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)


@pytest.mark.parametrize("change", [_append, _same_size, _same_size_and_age, _another_file, os.utime])
def test_a_changed_source_is_read_again_and_its_old_entry_goes(source: Path, entries: Path, change) -> None:
    read = Reader()
    cached([source], {}, read)
    change(source)
    settle()
    cached([source], {}, read)
    assert read.count == 2
    cached([source], {}, read)
    assert read.count == 2
    assert len(list(entries.iterdir())) == 1


def test_settings_and_paths_have_entries_of_their_own(source: Path) -> None:
    read = Reader()
    other = source.with_name("b")
    other.write_bytes(b"one")
    settle()
    for _ in range(2):
        cached([source], {"size": 28}, read)
        cached([source], {"size": 32}, read)
        cached([other], {"size": 28}, read)
        cached([source, other], {"size": 28}, read)
    assert read.count == 4


def test_a_file_written_this_instant_is_not_cached(tmp_path: Path, entries: Path) -> None:
    source = tmp_path / "source"
    read = Reader()
    source.write_bytes(b"one")
    cached([source], {}, read)
    assert not entries.exists()
    # The clock of the file system may not have ticked, and nothing but the content would tell the two apart.
    source.write_bytes(b"two")
    cached([source], {}, read)
    assert read.count == 2


def _cut(content: bytes) -> bytes:
    return content[:-1]


@pytest.mark.parametrize(
    "damage",
    [
        _cut,
        lambda content: content + b"\0",
        lambda content: b"",
        lambda content: b"\xff" * 8 + content[8:],
        lambda content: content[:8] + bytes(200) + content[208:],
        lambda content: (9).to_bytes(8, "little") + b'{"a": [}]' + content[17:],
        lambda content: (1 << 16).to_bytes(8, "little") + b"[" * (1 << 16) + content,
        lambda content: (2).to_bytes(8, "little") + b"[]" + content,
        lambda content: content[: len(content) // 2] + bytes(len(content) - len(content) // 2),
        lambda content: content.replace(b"[90, null, 30]", b"[91, null, 30]"),
        lambda content: content.replace(b"[90, null, 30]", b"[null, 90, 30]"),
        lambda content: content.replace(b"U8", b"I8"),
        lambda content: content.replace(b'"key": "', b'"key": "0')[:-1],
        lambda content: b"foreign" * 100,
    ],
)
def test_a_damaged_entry_is_rebuilt_in_silence(source: Path, entries: Path, damage, capfd) -> None:
    read = Reader()
    cached([source], {}, read)
    (file,) = entries.iterdir()
    sound = file.read_bytes()
    assert damage(sound) != sound
    file.write_bytes(damage(sound))
    _equal(cached([source], {}, read).raw, _RAW)
    assert read.count == 2
    assert file.read_bytes() == sound
    _equal(cached([source], {}, read).raw, _RAW)
    assert read.count == 2
    assert capfd.readouterr() == ("", "")


def test_an_entry_cut_at_every_byte(source: Path, entries: Path) -> None:
    read = Reader(Raw(_rows(0, 9), None, None, _CLASSES))
    cached([source], {}, read)
    (file,) = entries.iterdir()
    sound = file.read_bytes()
    for length in range(0, len(sound), 13):
        file.write_bytes(sound[:length])
        cached([source], {}, read)
        assert file.read_bytes() == sound


def test_a_reader_that_fails_leaves_nothing(source: Path, entries: Path) -> None:
    def fail() -> Raw:
        raise DataError("no")

    with pytest.raises(DataError):
        cached([source], {}, fail)
    assert not entries.exists() or not list(entries.iterdir())


def _read_twice(source: Path, monkeypatch: pytest.MonkeyPatch) -> Content:
    monkeypatch.setattr(cache, "_told", False)
    read = Reader()
    cached([source], {}, read)
    stored = cached([source], {}, read)
    assert read.count == 2
    return stored


def test_no_folder_to_write_to(source: Path, tmp_path: Path, monkeypatch, capfd) -> None:
    monkeypatch.setenv("BYHAND_HOME", str(source / "below a file"))
    _equal(_read_twice(source, monkeypatch).raw, _RAW)
    assert capfd.readouterr().err.count("\n") == 1


def test_a_disk_without_room(source: Path, entries: Path, monkeypatch, capfd) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        stored = _read_twice(source, monkeypatch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    _equal(stored.raw, _RAW)
    assert list(entries.iterdir()) == []
    assert capfd.readouterr().err.count("\n") == 1


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        cached([tmp_path / "nowhere"], {}, Reader())


def test_the_longest_unused_goes_first(tmp_path: Path, entries: Path, monkeypatch) -> None:
    sources = [tmp_path / name for name in "abc"]
    for file in sources:
        file.write_bytes(b"x")
    settle()
    reads = [Reader() for _ in sources]
    for file, read in zip(sources[:2], reads[:2], strict=True):
        cached([file], {}, read)
        settle()
    size = next(entries.iterdir()).stat().st_size
    monkeypatch.setattr(cache, "LIMIT", int(2.5 * size))
    cached([sources[0]], {}, reads[0])  # used now: b is the older one
    stranger = entries / "notes.txt"
    stranger.write_text("not the cache's")
    abandoned = entries / "x.tmp"
    abandoned.write_bytes(b"x")
    os.utime(abandoned, (1, 1))
    fresh = entries / "y.tmp"
    fresh.write_bytes(b"x")
    settle()
    cached([sources[2]], {}, reads[2])
    assert stranger.exists()
    assert fresh.exists()
    assert not abandoned.exists()
    for place in (0, 2, 1):
        cached([sources[place]], {}, reads[place])
    assert [read.count for read in reads] == [1, 2, 1]


def test_a_folder_stands_for_all_below_it(tmp_path: Path) -> None:
    for name in ("a/0/1.png", "a/1/2.png", "b/0/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    seen = {fingerprint([tmp_path])[0]}
    (tmp_path / "a/0/1.png").write_bytes(b"xx")
    seen.add(fingerprint([tmp_path])[0])
    (tmp_path / "a/0/1.png").rename(tmp_path / "a/1/1.png")
    seen.add(fingerprint([tmp_path])[0])
    (tmp_path / "b/1").mkdir()
    seen.add(fingerprint([tmp_path])[0])
    (tmp_path / "b/1/4.png").symlink_to("nowhere")
    seen.add(fingerprint([tmp_path])[0])
    (tmp_path / "b/loop").symlink_to(tmp_path)
    seen.add(fingerprint([tmp_path])[0])
    assert len(seen) == 6
    assert fingerprint([tmp_path]) == fingerprint([tmp_path])
    assert fingerprint([tmp_path])[1] <= time.time_ns() + 10**7


def test_readers_side_by_side(source: Path, entries: Path) -> None:
    faults: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(20):
                _equal(cached([source], {}, Reader()).raw, _RAW)
                for file in entries.glob("*.safetensors"):
                    file.unlink(missing_ok=True)
        except BaseException as error:  # noqa: BLE001
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert not list(entries.glob("*.tmp"))


def test_the_platforms_folder(home: Path, monkeypatch) -> None:
    assert cache.home() == home / "byhand"
    monkeypatch.delenv("BYHAND_HOME")
    if sys.platform.startswith("linux"):
        assert cache.home() == home / ".cache" / "byhand"
        monkeypatch.setenv("XDG_CACHE_HOME", "relative")
        assert cache.home() == home / ".cache" / "byhand"
        monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
        assert cache.home() == home / "xdg" / "byhand"


def test_reading_imports_neither_torch_nor_sklearn() -> None:
    heavy = "torch", "sklearn", "matplotlib", "pandas", "scipy"
    code = f"import sys, byhand.data.cache, byhand.data.split; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
