"""The loader, against PyTorch's where the contract is PyTorch's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import TensorDataset

from byhand import load
from byhand.data.dataset import Dataset, Part
from byhand.data.loader import DataLoader, DataLoaders, loaders

ROWS = 23


def pairs(n: int = ROWS) -> tuple[Tensor, Tensor]:
    """Inputs that name their row, and its label: row i holds i, i + 0.5 and has label i."""
    x = torch.arange(n, dtype=torch.float32)[:, None] + torch.tensor([0.0, 0.5])  # (n, 2)
    return x, torch.arange(n)


def part(n: int = ROWS, first: int = 0) -> Part:
    """Images whose pixels tell their label apart, with labels that count from ``first``."""
    rng = np.random.default_rng(n)
    images = rng.integers(0, 256, (n, 4, 3), dtype=np.uint8)
    return Part(images, np.arange(first, first + n, dtype=np.int64), tuple(map(str, range(first + n))), "h")


def labels(dl: DataLoader) -> list[int]:
    return [int(label) for _, yb in dl for label in yb.flatten()]


@pytest.fixture
def seeds_list() -> list[tuple[Tensor, Tensor]]:
    """The second seed's data set: rows of pixels from 0 to 1 and labels of shape [1]."""
    x = torch.rand(ROWS, 12, generator=torch.Generator().manual_seed(1))
    y = torch.randint(0, 10, (ROWS,), generator=torch.Generator().manual_seed(2)).unsqueeze(1)
    return list(zip(x, y, strict=True))


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 5, ROWS, 100])
def test_the_seeds_list_is_served_as_torch_serves_it(seeds_list, batch_size: int, drop_last: bool) -> None:
    ours = DataLoader(seeds_list, batch_size=batch_size, drop_last=drop_last)
    theirs = TorchDataLoader(seeds_list, batch_size=batch_size, drop_last=drop_last)
    assert len(ours) == len(theirs)
    for (xb, yb), (xt, yt) in zip(ours, theirs, strict=True):
        assert torch.equal(xb, xt)
        assert torch.equal(yb, yt)
        assert yb.shape[1:] == (1,)
        assert (xb.dtype, yb.dtype) == (xt.dtype, yt.dtype)


def test_plain_numbers_and_arrays_in_a_list_are_collated_as_torch_does() -> None:
    rows = [(np.full(3, i, dtype=np.float32), i % 4) for i in range(7)]
    for (xb, yb), (xt, yt) in zip(DataLoader(rows, 3), TorchDataLoader(rows, batch_size=3), strict=True):
        assert torch.equal(xb, xt)
        assert torch.equal(yb, yt)
        assert (xb.dtype, yb.dtype) == (xt.dtype, yt.dtype)


@pytest.mark.parametrize("kind", ["tensors", "arrays", "list", "TensorDataset"])
def test_a_pair_is_taken_in_each_of_its_forms(kind: str) -> None:
    x, y = pairs()
    dataset = {
        "tensors": (x, y),
        "arrays": (x.numpy(), y.numpy()),
        "list": [x, y],
        "TensorDataset": TensorDataset(x, y),
    }[kind]
    dl = DataLoader(dataset, batch_size=10)
    assert torch.equal(torch.cat([xb for xb, _ in dl]), x)
    assert torch.equal(torch.cat([yb for _, yb in dl]), y)


def test_two_rows_of_tensors_are_rows_and_two_tensors_are_a_pair() -> None:
    x, y = pairs(2)
    rows = DataLoader(list(zip(x, y, strict=True)), batch_size=2)
    pair = DataLoader((x, y), batch_size=2)
    assert torch.equal(rows.x, pair.x)
    assert torch.equal(rows.y, pair.y)


@pytest.mark.parametrize(
    "dataset",
    [
        None,
        5,
        "mnist",
        b"mnist",
        [],
        {"x": 1, "y": 2},
        [1, 2, 3],
        [(1, 2, 3), (4, 5, 6)],
        np.zeros((3, 2)),
        torch.zeros(3, 2),
        TensorDataset(torch.zeros(3)),
        TensorDataset(torch.zeros(3), torch.zeros(3), torch.zeros(3)),
        (row for row in [(torch.zeros(2), 0)]),
        [(torch.zeros(2), 0), "a row that is none"],
    ],
    ids=lambda value: type(value).__name__,
)
def test_anything_else_is_a_type_error_that_says_what_to_give(dataset: object) -> None:
    with pytest.raises(TypeError, match="give a part of byhand") as caught:
        DataLoader(dataset)
    assert type(dataset).__name__ in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unequal_lengths_and_batch_sizes_below_one_are_value_errors() -> None:
    x, y = pairs()
    with pytest.raises(ValueError, match="23 inputs and 22 labels"):
        DataLoader((x, y[1:]))
    for batch_size in (0, -1):
        with pytest.raises(ValueError, match="batch_size"):
            DataLoader((x, y), batch_size=batch_size)


@given(
    n=st.integers(1, 60),
    batch_size=st.integers(1, 70),
    drop_last=st.booleans(),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=100, deadline=None)
def test_batches_cover_the_rows_whatever_the_sizes(
    n: int, batch_size: int, drop_last: bool, shuffle: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    dl = DataLoader(pairs(n), batch_size, shuffle, drop_last, generator)
    batches = list(dl)
    sizes = [len(yb) for _, yb in batches]
    whole, rest = divmod(n, batch_size)
    assert sizes == [batch_size] * whole + ([rest] if rest and not drop_last else [])
    assert len(dl) == len(sizes)
    found = [int(label) for _, yb in batches for label in yb]
    if shuffle:
        assert len(set(found)) == len(found) == sum(sizes)
        assert drop_last or sorted(found) == list(range(n))
    else:
        assert found == list(range(sum(sizes)))
    for xb, yb in batches:
        assert torch.equal(xb, yb[:, None] + torch.tensor([0.0, 0.5]))  # labels stay with their inputs


def test_it_does_not_shuffle_unless_told_and_takes_one_row_a_batch() -> None:
    dl = DataLoader(pairs())
    assert labels(dl) == labels(dl) == list(range(ROWS))
    assert [len(yb) for _, yb in dl] == [1] * ROWS


def test_a_shuffled_pass_is_a_permutation_and_each_pass_has_its_own() -> None:
    dl = DataLoader(pairs(), batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(3))
    first, second = labels(dl), labels(dl)
    assert sorted(first) == sorted(second) == list(range(ROWS))
    assert len({tuple(first), tuple(second), tuple(range(ROWS))}) == 3


def test_the_order_follows_its_generator() -> None:
    def passes(seed: int) -> list[list[int]]:
        dl = DataLoader(pairs(), 4, shuffle=True, generator=torch.Generator().manual_seed(seed))
        return [labels(dl), labels(dl)]

    assert passes(5) == passes(5)
    assert passes(5) != passes(6)


def test_without_a_generator_the_order_follows_torchs_seed() -> None:
    with torch.random.fork_rng():
        dl = DataLoader(pairs(), 4, shuffle=True)
        torch.manual_seed(11)
        first = labels(dl)
        torch.manual_seed(11)
        assert labels(dl) == first
        torch.manual_seed(12)
        assert labels(dl) != first


def test_a_generator_of_its_own_leaves_torchs_alone() -> None:
    state = torch.get_rng_state()
    labels(DataLoader(pairs(), 4, shuffle=True, generator=torch.Generator().manual_seed(1)))
    assert torch.equal(torch.get_rng_state(), state)


def test_pixels_come_as_their_value_over_255_and_raw_when_asked() -> None:
    rows = part()
    flat = torch.as_tensor(rows.images).reshape(ROWS, 12)
    dl = DataLoader(rows, batch_size=7)
    xb = torch.cat([xb for xb, _ in dl])
    assert xb.dtype == torch.float32
    assert torch.equal(xb, flat.float() / 255)  # the seeds' expression, to the bit
    raw = torch.cat([xb for xb, _ in dl.batches(raw=True)])
    assert raw.dtype == torch.uint8
    assert torch.equal(raw, flat)


def test_every_pixel_value_is_scaled_to_its_end_points() -> None:
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    ((xb, yb),) = DataLoader(Part(images, np.zeros(1, np.int64), ("0",), "h"))
    assert xb.shape == (1, 256)
    assert yb.dtype == torch.int64
    assert xb[0, 0] == 0
    assert xb[0, 255] == 1
    assert (xb[0, 1:] > xb[0, :-1]).all()


def test_a_tensor_of_bytes_is_left_as_it_is() -> None:
    x = torch.arange(12, dtype=torch.uint8).reshape(6, 2)
    ((xb, _),) = DataLoader((x, torch.zeros(6)), batch_size=6)
    assert torch.equal(xb, x)
    assert xb.dtype == torch.uint8


def test_serving_a_batch_changes_nothing_in_the_data() -> None:
    rows = part()
    before = rows.images.copy()
    for shuffle in (False, True):
        for xb, _ in DataLoader(rows, 5, shuffle=shuffle):
            xb.zero_()
    assert np.array_equal(rows.images, before)


@pytest.mark.parametrize("batch_size", [1, 6, ROWS, 1000])
def test_in_order_gives_every_row_once_whatever_the_loader_shuffles_or_drops(batch_size: int) -> None:
    rows = part()
    dl = DataLoader(rows, 10, shuffle=True, drop_last=True)
    found = list(dl.in_order(batch_size))
    assert torch.equal(torch.cat([yb for _, yb in found]), torch.arange(ROWS))
    assert torch.equal(
        torch.cat([xb for xb, _ in dl.in_order(batch_size, raw=True)]), torch.as_tensor(rows.images).reshape(ROWS, 12)
    )


def test_loaders_of_both_makes_are_kept_as_they_are(seeds_list) -> None:
    theirs, ours = TorchDataLoader(seeds_list, batch_size=4), DataLoader(seeds_list, batch_size=4)
    dls = DataLoaders(theirs, ours)
    assert dls.train is theirs
    assert dls.valid is ours
    assert dls.classes is None
    assert DataLoaders(ours).valid is None


def test_a_bare_data_set_is_learnt_from_shuffled_and_judged_in_order() -> None:
    dls = DataLoaders(pairs(200), pairs(200), ("a", "b"))
    assert isinstance(dls.train, DataLoader)
    assert isinstance(dls.valid, DataLoader)
    assert [len(yb) for _, yb in dls.train] == [64, 64, 64, 8]
    assert labels(dls.train) != list(range(200))
    assert labels(dls.valid) == list(range(200))
    assert dls.classes == ("a", "b")


def test_data_loaders_shuffle_the_training_part_only_and_keep_the_classes() -> None:
    parts = part(80), part(9)
    data = Dataset("somewhere", parts[0], parts[1], part(2), parts[0].classes, "h")
    dls = data.loaders(batch_size=16, seed=7)
    assert isinstance(dls.train, DataLoader)
    assert isinstance(dls.valid, DataLoader)
    first = labels(dls.train)
    assert sorted(first) == list(range(80)) != first
    assert labels(dls.valid) == list(range(9))
    assert [len(yb) for _, yb in dls.train] == [16] * 5
    assert dls.classes == data.classes
    again, other = data.loaders(batch_size=16, seed=7), data.loaders(batch_size=16, seed=8)
    assert labels(again.train) == first != labels(other.train)  # pyright: ignore[reportArgumentType]


def test_a_validation_part_of_no_rows_is_none() -> None:
    assert loaders(part(), part(0)).valid is None


def test_the_embedded_digits_are_served_whole_with_their_own_labels() -> None:
    data = load("digits", valid=0.25, seed=3)
    dls = data.loaders(batch_size=100)
    pixels, targets = (torch.cat(column) for column in zip(*dls.train, strict=True))
    assert pixels.shape == (len(data.train), 64)
    rows = {image.tobytes(): int(label) for image, label in zip(data.train.images, data.train.labels, strict=True)}
    for row, target in zip((pixels * 255).round().to(torch.uint8).numpy(), targets.tolist(), strict=True):
        assert rows[row.tobytes()] == target
