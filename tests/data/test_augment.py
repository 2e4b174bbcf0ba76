"""The training pictures deformed ahead of the step: which ones, in which order, and the same bits whoever asks."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from byhand.data import augment, stretches
from byhand.data.dataset import Dataset, Part
from byhand.data.deform import deform
from byhand.data.load import load, make_shards, open_data
from byhand.data.loader import DataLoader, loaders
from byhand.data.sharding import Choices

ROWS = 53


def part(rows: int = ROWS) -> Part:
    images = np.random.default_rng(0).integers(0, 256, (rows, 7, 6), np.uint8)
    return Part(images, np.arange(rows) % 5, tuple("01234"), "h")


def loader(rows: int = ROWS, batch_size: int = 8, seed: int = 3, **options: bool) -> DataLoader:
    return DataLoader(
        part(rows),
        batch_size,
        shuffle=options.get("shuffle", True),
        drop_last=options.get("drop_last", False),
        generator=torch.Generator().manual_seed(seed),
        augment=options.get("augment", True),
    )


def passed(dl: DataLoader, skip: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    pairs = list(dl.batches(raw=True, skip=skip))
    return torch.cat([xb for xb, _ in pairs]), torch.cat([yb for _, yb in pairs])


def test_each_picture_of_a_pass_is_the_version_that_its_place_gives() -> None:
    x, y = passed(loader())
    generator = torch.Generator().manual_seed(3)
    order = torch.randperm(ROWS, generator=generator).numpy()
    seed = int(torch.randint(2**62, (), generator=generator))
    rows = part()
    assert np.array_equal(y.numpy(), rows.labels[order])
    assert np.array_equal(x.numpy().reshape(-1, 7, 6), deform(rows.images[order], 0, 1, seed))


def test_every_pass_has_versions_of_its_own_and_the_same_seed_the_same() -> None:
    one, other = loader(), loader()
    passes = [passed(one)[0] for _ in range(2)]
    assert not torch.equal(*passes)
    assert all(torch.equal(first, passed(other)[0]) for first in passes)
    assert not torch.equal(passes[0], passed(loader(seed=4))[0])


def test_without_it_the_order_is_what_it_was() -> None:
    assert torch.equal(passed(loader())[1], passed(loader(augment=False))[1])


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 40),
    batch_size=st.integers(1, 17),
    size=st.integers(1, 4),
    skip=st.integers(0, 4),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
)
def test_parts_and_later_starts_serve_the_same_versions(
    rows: int, batch_size: int, size: int, skip: int, shuffle: bool, drop_last: bool
) -> None:
    def batches(rank: int, size: int, skip: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        dl = loader(rows, batch_size, shuffle=shuffle, drop_last=drop_last)
        dl.share = rank, size
        return list(dl.batches(skip=skip))

    whole = batches(0, 1, 0)
    ranks = [batches(rank, size, skip) for rank in range(size)]
    assert {len(found) for found in ranks} == {max(0, len(whole) - skip)}
    for i, (xb, yb) in enumerate(whole[skip:]):
        assert torch.equal(torch.cat([found[i][0] for found in ranks]), xb)
        assert torch.equal(torch.cat([found[i][1] for found in ranks]), yb)


def test_an_evaluation_sees_the_pictures_as_they_are() -> None:
    dl = loader()
    plain = torch.as_tensor(part().images).flatten(1)
    assert torch.equal(torch.cat([xb for xb, _ in dl.in_order(10, raw=True)]), plain)
    dls = loaders(part(), part(), augment=True)
    assert isinstance(dls.train, DataLoader)
    assert isinstance(dls.valid, DataLoader)
    assert dls.train.augment
    assert not dls.valid.augment
    assert torch.equal(torch.cat([xb for xb, _ in dls.valid.batches(raw=True)]), plain)
    assert torch.equal(torch.as_tensor(part().images).flatten(1), plain)  # the part itself is untouched


def test_pixels_come_scaled_unless_raw() -> None:
    raw, scaled = passed(loader())[0], torch.cat([xb for xb, _ in loader()])
    assert (raw.dtype, scaled.dtype) == (torch.uint8, torch.float32)
    assert torch.equal(raw.float() / 255, scaled)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_is_nothing(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = passed(loader(300))[0]
    monkeypatch.setattr(augment, "_THREADS", threads)
    assert torch.equal(passed(loader(300))[0], expected)


def test_batches_are_made_ahead_and_no_thread_is_left() -> None:
    before = threading.active_count()
    batches = iter(loader(100).batches())
    next(batches)
    assert threading.active_count() > before
    batches.close()  # type: ignore[attr-defined]
    until = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_rows_that_are_no_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="augment deforms pictures"):
        DataLoader((torch.zeros(4, 9), torch.zeros(4)), augment=True)


@pytest.fixture
def sharded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The digits in shards, in stretches of 490 rows."""
    monkeypatch.setattr(stretches, "_STRETCH", 490 * 64)
    monkeypatch.setattr(stretches, "_BLOCK", 30 * 64)
    make_shards("digits", tmp_path / "made", Choices())
    return open_data(str(tmp_path / "made"))  # type: ignore[return-value]


def test_shards_are_served_deformed_from_any_batch_on(sharded: Dataset) -> None:
    def served(augment: bool, skip: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
        train = sharded.loaders(batch_size=70, augment=augment).train
        assert isinstance(train, DataLoader)
        return list(train.batches(raw=True, skip=skip))

    whole, plain = served(True), served(False)
    generator = torch.Generator().manual_seed(42)
    seeds = [int(torch.randint(2**62, (), generator=generator)) for _ in range(2)]  # of the order, of the versions
    for i, ((xb, yb), (as_it_is, label)) in enumerate(zip(whole, plain, strict=True)):
        assert torch.equal(yb, label)
        images = as_it_is.numpy().reshape(-1, 8, 8)
        assert np.array_equal(xb.numpy().reshape(-1, 8, 8), deform(images, 70 * i, 1, seeds[1]))
    for skip in (1, 6, 7, 8, 15, len(whole)):
        for (xb, yb), (expected, label) in zip(served(True, skip), whole[skip:], strict=True):
            assert torch.equal(xb, expected)
            assert torch.equal(yb, label)


def test_a_data_set_deforms_its_training_part_only() -> None:
    dls = load("digits").loaders(augment=True)
    assert isinstance(dls.train, DataLoader)
    assert isinstance(dls.valid, DataLoader)
    assert (dls.train.augment, dls.valid.augment) == (True, False)
