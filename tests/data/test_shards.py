"""A folder of shards is read as it was written, or refused in one line; its loaders give what those of memory give."""

import json
import math
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from byhand import DataLoader, Dataset, Sharded, load, open_data
from byhand.data import load as loading
from byhand.data import sharding, stretches
from byhand.data import shards as shards_module
from byhand.data.load import make_shards
from byhand.data.sharding import Choices
from byhand.errors import DataError, UsageError
from byhand.json_text import digest
from tests.data.conftest import Writers

PIXELS = 36
ROWS = 20  # of a shard


@pytest.fixture
def made(tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """144 training images in eight shards, 16 to validate on, 40 to test on; stretches of 50 rows, blocks of 7."""
    monkeypatch.setattr(sharding, "_SIZE", PIXELS * ROWS)
    monkeypatch.setattr(stretches, "_STRETCH", PIXELS * 50)
    monkeypatch.setattr(stretches, "_BLOCK", PIXELS * 7)
    np.savez(tmp_path / "all.npz", images=digits[0], labels=digits[1])
    make_shards(tmp_path / "all.npz", tmp_path / "made", Choices())
    return tmp_path / "made"


def opened(folder: Path) -> Sharded:
    data = open_data(folder)
    assert isinstance(data, Sharded)
    return data


def test_any_rows_can_be_read(made: Path) -> None:
    part = opened(made).train
    whole = load(made).train
    assert (len(part), len(part.columns)) == (144, 8)
    for start in (0, 1, 19, 20, 21, 140, 144):
        for stop in (start, start + 1, 20, 40, 143, 144, 999):
            images, labels = part.rows(start, stop)
            assert (images == whole.images[start : max(start, stop)]).all()
            assert (labels == whole.labels[start : max(start, stop)]).all()


def test_the_first_rows_are_a_part_of_their_own(made: Path) -> None:
    data = opened(made)
    some, whole = data.train.first(30), data.train.first(10**6)
    assert (len(some), len(whole)) == (30, 144)
    assert whole.hash == data.train.hash != some.hash
    assert data.train.first(30).hash == some.hash


def test_a_sample_is_the_first_of_the_training_part(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load(made)
    monkeypatch.setattr(shards_module, "_SAMPLE", 25 * PIXELS)
    assert load(made).hash == load(made, sample=True).hash == whole.hash
    some = load(made, sample=True)
    assert (len(some.train), len(some.valid), len(some.test)) == (25, 16, 40)
    assert (some.train.images == whole.train.images[:25]).all()


def test_what_does_not_fit_is_told_what_takes_it(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "MAX_BYTES", 143 * PIXELS)
    with pytest.raises(DataError, match=r"made: a part has 5,184 bytes, more than the 5,148 .* byhand train takes it"):
        load(made)


def test_the_split_is_that_of_the_shards(made: Path) -> None:
    assert load(made, 0.5, 9).valid.hash == load(made).valid.hash
    with pytest.raises(UsageError, match=r"size=28: .*made holds images of 6 × 6 pixels"):
        open_data(made, size=28)


def test_a_folder_named_like_a_data_set_is_found_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_shards("digits", Path("mine"), Choices())
    for name in ("mine", "./mine", "mine/", tmp_path / "mine"):
        assert load(name).hash == load("digits").hash


# Loaders.


def rows_of(batches: Any) -> list[list[bytes]]:
    return [[image.numpy().tobytes() for image in xb] for xb, _ in batches]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7, 16, 50, 144, 200])
def test_a_pass_has_each_image_once_with_its_label(made: Path, batch_size: int, drop_last: bool) -> None:
    part, whole = opened(made).train, load(made).train
    labels = {image.tobytes(): label for image, label in zip(whole.images, whole.labels, strict=True)}
    dl = DataLoader(part, batch_size, shuffle=True, drop_last=drop_last, generator=torch.Generator().manual_seed(1))
    like = DataLoader(whole, batch_size, drop_last=drop_last)
    passes = []
    for _ in range(2):
        batches = list(dl.batches(raw=True))
        assert [len(yb) for _, yb in batches] == [len(yb) for _, yb in like]
        assert len(dl) == len(like) == len(batches)
        for xb, yb in batches:
            assert [labels[image.numpy().tobytes()] for image in xb] == yb.tolist()
        passes.append([image for batch in rows_of(batches) for image in batch])
        assert len(set(passes[-1])) == len(passes[-1])
    assert passes[0] != passes[1] or len(passes[0]) < 2


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("batch_size", [7, 16, 60])
def test_a_pass_goes_on_at_any_batch(made: Path, batch_size: int, shuffle: bool) -> None:
    part = opened(made).train

    def passed(skip: int) -> list[list[bytes]]:
        generator = torch.Generator().manual_seed(4)
        return rows_of(DataLoader(part, batch_size, shuffle, generator=generator).batches(True, skip))

    whole = passed(0)
    for skip in range(len(whole) + 1):
        assert passed(skip) == whole[skip:]


@pytest.mark.parametrize("processes", [2, 3])
def test_several_processes_share_each_batch(made: Path, processes: int) -> None:
    part = opened(made).train

    def passed(rank: int, size: int) -> tuple[list[list[bytes]], list[bytes]]:
        dl = DataLoader(part, 16, shuffle=True, generator=torch.Generator().manual_seed(4))
        dl.share = rank, size
        return rows_of(dl.batches(True)), [image for batch in rows_of(dl.in_order(9, True)) for image in batch]

    alone = passed(0, 1)
    shared = [passed(rank, processes) for rank in range(processes)]
    for number, batch in enumerate(alone[0]):
        assert [image for batches, _ in shared for image in batches[number]] == batch
    assert [image for _, images in shared for image in images] == alone[1]


def test_in_order_the_batches_are_those_of_memory(made: Path) -> None:
    data, whole = opened(made), load(made)
    for part, like in ((data.train, whole.train), (data.valid, whole.valid)):
        for batch_size in (1, 10, 1000):
            ours, theirs = DataLoader(part, 16), DataLoader(like, 16)
            assert rows_of(ours.in_order(batch_size)) == rows_of(theirs.in_order(batch_size))
            assert rows_of(ours) == rows_of(theirs)


def test_a_pass_that_is_given_up_leaves_no_thread(made: Path) -> None:
    import threading

    dl = DataLoader(opened(made).train, 7, shuffle=True)
    passing = iter(dl)
    next(passing)
    assert any(thread.name.startswith("byhand-reader") for thread in threading.enumerate())
    passing.close()  # type: ignore[attr-defined]
    assert not any(thread.name.startswith("byhand-reader") for thread in threading.enumerate())


# What is wrong.


def check(folder: Path) -> None:
    data = opened(folder)
    for part in (data.train, data.valid, data.test):
        part.check()


def test_every_byte_counts_when_all_are_looked_at(made: Path) -> None:
    assert opened(made).train.check() == (0, 255)
    assert opened(made).valid.check() is not None
    for file in sorted(made.glob("*.npy")):
        whole = file.read_bytes()
        for place in (0, 9, 70, 127, 128, len(whole) - 1):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(DataError, match=rf"{file.name}: .*; make the shards again$"):
                check(made)
        file.write_bytes(whole)


@pytest.mark.parametrize("name", ["train-00003.images.npy", "train-00000.labels.npy", "test-00001.images.npy"])
def test_a_file_that_is_gone_or_of_another_length_is_seen_at_once(made: Path, name: str) -> None:
    file = made / name
    whole = file.read_bytes()
    for content in (whole[:-1], whole + b"\0", whole[:60], b""):
        file.write_bytes(content)
        with pytest.raises(DataError, match=rf"{name}: .*; make the shards again$"):
            open_data(made)
    file.unlink()
    with pytest.raises(DataError, match=rf"{name}: no such file or folder; check the path$"):
        open_data(made)
    file.mkdir()
    with pytest.raises(DataError, match=rf"{name}: is a folder"):
        open_data(made)


def damage(file: Path, how: str) -> None:
    if how == "gone":
        file.unlink()
    elif how == "shorter":
        os.truncate(file, 200)
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"\1")


@pytest.mark.parametrize("how", ["gone", "shorter", "written to"])
def test_a_file_that_changes_while_it_is_learnt_from_is_one_line(made: Path, how: str) -> None:
    dl = DataLoader(opened(made).train, 7, shuffle=True)
    assert len(list(dl)) == 21
    time.sleep(0.02)  # more than a tick of the file system's clock
    damage(made / "train-00004.images.npy", how)
    with pytest.raises(DataError, match=r"train-00004.images.npy: (no such file|is not as shards.json says: it was)"):
        list(dl)


def test_a_label_that_is_no_class_is_never_learnt_from(made: Path) -> None:
    file = made / "train-00002.labels.npy"
    labels = np.load(file)
    for wrong in (-1, 10, 2**62):
        labels[5] = wrong
        np.save(file, labels)
        with pytest.raises(DataError, match=r"train-00002.labels.npy: .* a label lies outside 0\.\.9"):
            list(DataLoader(opened(made).train, 7, shuffle=True))


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=9),
    st.lists(st.integers(-5, 30), max_size=3), st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)  # fmt: skip


def places(told: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to each value of a JSON tree."""
    keys = told.keys() if isinstance(told, dict) else range(len(told)) if isinstance(told, list) else ()
    return [at, *(place for key in keys for place in places(told[key], (*at, key)))]


def drawn_place(told: Any, data: Any) -> tuple[Any, Any]:
    """One of the places of a JSON tree: the list or object that it lies in, and its name there."""
    *path, last = data.draw(st.sampled_from(places(told)[1:]))
    for key in path:
        told = told[key]
    return told, last


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_manifest_with_one_other_value_is_refused(made: Path, data: Any) -> None:
    file = made / "shards.json"
    whole = file.read_text()
    told = json.loads(whole)
    inner, last = drawn_place(told, data)
    if data.draw(st.booleans()):
        inner[last] = data.draw(ODD)
    else:
        del inner[last]
    said = ""
    try:
        file.write_text(json.dumps(told))
        opened(made)
    except DataError as error:
        said = str(error)
    finally:
        file.write_text(whole)
    assert told == json.loads(whole) or re.search(r"shards\.json: is damaged \(.*\); make the shards again$", said)
    assert said.isprintable()


def signed(told: dict[str, Any]) -> str:
    """A manifest whose checksum is right."""
    return json.dumps({**told, "sha256": digest({key: told[key] for key in told if key != "sha256"})})


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_one_that_somebody_signed_is_refused_or_gives_rows_of_its_files(made: Path, data: Any) -> None:
    file = made / "shards.json"
    whole = file.read_text()
    told = json.loads(whole)
    inner, last = drawn_place(told, data)
    inner[last] = data.draw(ODD)
    said, found = "", None
    try:
        file.write_text(signed(told))
        found = opened(made)
    except DataError as error:
        said = str(error)
    except (ValueError, TypeError):
        assert not math.isfinite(told[last])  # cannot be signed
        return
    finally:
        file.write_text(whole)
    if found is None:
        assert re.search(r"(shards\.json|\.npy): .*; (make the shards again|check the path)$", said)
        assert said.isprintable()
    else:
        assert len(found.train) == 144
        assert found.shape == (6, 6)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "9" * 5000, "[" * 5000, '{"schema": "byhand.run/1"}', "\xff"])
def test_a_manifest_that_is_none_is_one_line(made: Path, text: str) -> None:
    (made / "shards.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"^[^\n]*shards\.json: is damaged \([^\n]*\); make the shards again$"):
        open_data(made)


def test_a_name_leads_nowhere_else(made: Path) -> None:
    file = made / "shards.json"
    told = json.loads(file.read_text())
    for name in ("../made/train-00000", "/etc/passwd", "train-00000\n", "", "."):
        told["parts"]["train"]["shards"][0]["name"] = name
        file.write_text(signed(told))
        with pytest.raises(DataError, match=r"shards\.json: is damaged"):
            open_data(made)


def test_load_reads_no_shard_twice_for_the_cache(made: Path, home: Path) -> None:
    load(made)
    assert not any("made" in file.name for file in home.rglob("*"))
    assert loading.load is load
    assert isinstance(load(made), Dataset)


def test_images_of_several_kinds_in_one_source_are_refused(tmp_path: Path, write: Writers) -> None:
    rng = np.random.default_rng(0)
    parts = [rng.integers(0, 256, (40, size, size), np.uint8) for size in (4, 5)]
    labels = np.arange(40) % 2
    write.idx_folder(tmp_path / "idx", parts[0], labels, (parts[1], labels))
    for read in (load, lambda path: make_shards(path, tmp_path / "made", Choices())):
        with pytest.raises(DataError, match=r"idx: .* one size( is needed)?$"):
            read(tmp_path / "idx")
