import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from byhand.data.dataset import Dataset
from byhand.data.load import load
from byhand.errors import DataError, UsageError


def _same(one: Dataset, other: Dataset) -> None:
    """The same rows in the same parts, in any order."""
    assert one.hash == other.hash
    assert one.classes == other.classes
    for part in ("train", "valid", "test"):
        assert getattr(one, part).hash == getattr(other, part).hash


def test_digits_is_scikit_learns_scaled_to_255() -> None:
    dataset = load("digits", valid=0)
    images = np.concatenate([dataset.train.images, dataset.test.images])
    labels = np.concatenate([dataset.train.labels, dataset.test.labels])
    values, theirs = load_digits(return_X_y=True)
    expected = np.floor(values.reshape(-1, 8, 8) * 255 / 16 + 0.5)
    key = lambda pixels, label: sorted((row.tobytes(), int(y)) for row, y in zip(pixels, label, strict=True))  # noqa: E731
    assert key(images, labels) == key(expected.astype(np.uint8), theirs)
    assert images.max() == 255
    assert dataset.classes == tuple("0123456789")
    assert dataset.source == "digits"
    np.testing.assert_allclose(np.bincount(dataset.test.labels) / np.bincount(theirs), 0.2, atol=0.005)


def test_digits_second_read_does_without_sklearn() -> None:
    code = (
        "import sys, byhand.data.load as l; d = l.load('digits'); print('sklearn' in sys.modules, d.hash, d.valid.hash)"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    first, second = (run.stdout.split() for run in runs)
    assert (first[0], second[0]) == ("True", "False")
    assert first[1:] == second[1:]
    assert [run.stderr for run in runs] == ["", ""]


def test_no_source_is_mnist_where_it_is_and_digits_where_not(write, digits, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load().source == "digits"


def test_no_source_finds_the_genuine_mnist(mnist_path, monkeypatch) -> None:
    monkeypatch.setenv("BYHAND_DATA", str(mnist_path))
    dataset = load()
    assert dataset.source == "mnist"
    assert [len(part) for part in (dataset.train, dataset.valid, dataset.test)] == [54_000, 6_000, 10_000]
    assert np.abs(np.bincount(dataset.valid.labels) - 0.1 * np.bincount(dataset.train.labels) / 0.9).max() < 2
    _same(dataset, load(mnist_path))


def test_a_named_source_names_its_classes(write, digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write.idx_folder(tmp_path / "fashion-mnist", *digits, digits)
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path))
    named, path = load("fashion-mnist"), load(tmp_path / "fashion-mnist")
    assert named.classes[9] == named.train.classes[9] == "Ankle boot"
    assert path.classes[9] == "9"
    assert named.hash == path.hash


@pytest.mark.parametrize("name", ["digits", "kmnist"])
def test_a_path_that_is_called_as_a_data_set_is_a_path(name: str, write, digits, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write.png_tree(Path(name), *digits)
    for path in (Path(name), f"./{name}"):
        dataset = load(path)
        assert (len(dataset.train), dataset.classes) == (144, tuple("0123456789"))


def test_the_same_digits_in_every_format(write, digits, tmp_path: Path) -> None:
    images, labels = digits
    rows, test = slice(0, 150), (images[150:], labels[150:])
    for name in ("csv", "headerless"):
        (tmp_path / name).mkdir()
        for part, some in (("train", rows), ("test", slice(150, None))):
            content = write.csv(images[some], labels[some], header=name == "csv")
            (tmp_path / name / f"mnist_{part}.csv").write_bytes(content)
    (tmp_path / "digits.npz").write_bytes(
        write.npz(x_train=images[rows], y_train=labels[rows], x_test=test[0], y_test=test[1])
    )
    write.idx_folder(tmp_path / "idx", images[rows], labels[rows], test)
    write.idx_folder(tmp_path / "gz" / "MNIST" / "raw", images[rows], labels[rows], test, gz=True)
    write.png_tree(tmp_path / "png", images[rows], labels[rows], test)
    in_order = [load(tmp_path / name) for name in ("idx", "gz", "csv", "headerless", "digits.npz")]
    for dataset in in_order:
        _same(dataset, in_order[0])
        for part in ("train", "valid", "test"):
            np.testing.assert_array_equal(getattr(dataset, part).images, getattr(in_order[0], part).images)
            np.testing.assert_array_equal(getattr(dataset, part).labels, getattr(in_order[0], part).labels)
    tree = load(tmp_path / "png", valid=0)
    whole = load(tmp_path / "idx", valid=0)
    _same(tree, whole)
    order = np.argsort(whole.train.labels, kind="stable")  # a tree is read class after class
    np.testing.assert_array_equal(tree.train.images, whole.train.images[order])
    np.testing.assert_array_equal(tree.train.labels, whole.train.labels[order])


def test_one_table_and_one_tree_share_their_test_part(write, digits, tmp_path: Path) -> None:
    images, labels = digits
    keep = np.isin(labels, [3, 7])
    (tmp_path / "train.csv").write_bytes(write.csv(images[keep], labels[keep]))
    write.png_tree(tmp_path / "png", images[keep], labels[keep])
    table, tree = load(tmp_path / "train.csv"), load(tmp_path / "png")
    assert table.classes == ("3", "7")
    assert table.hash == tree.hash
    assert table.test.hash == tree.test.hash
    assert len(table.test) == 8


def test_the_source_is_as_it_was_given(write, digits, tmp_path: Path, monkeypatch) -> None:
    write.idx_folder(tmp_path / "mnist", *digits)
    monkeypatch.chdir(tmp_path)
    assert load("./mnist").source == "./mnist"
    assert load(Path("mnist")).source == "mnist"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load("~/mnist").source == "~/mnist"


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("mnits", "did you mean mnist"),
        ("MNIST", "did you mean mnist"),
        ("fashion_mnist", "did you mean fashion-mnist"),
        ("", "no data set of that name"),
        ("zebra", "names are digits, fashion-mnist, kmnist, mnist"),
        ("line\nbreak", "no data set of that name"),
    ],
)
def test_a_name_that_is_none(source: str, what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        load(source)
    assert str(caught.value).isprintable()


def _pipe(path: Path) -> Path:
    os.mkfifo(path / "pipe.csv")
    return path / "pipe.csv"


def _loop(path: Path) -> Path:
    (path / "loop.csv").symlink_to("loop.csv")
    return path / "loop.csv"


def _folder_called_csv(path: Path) -> Path:
    (path / "folder.csv").mkdir()
    return path / "folder.csv"


def _one_idx_file(path: Path) -> Path:
    (path / "train-images-idx3-ubyte").write_bytes(b"x")
    return path / "train-images-idx3-ubyte"


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: path / "nowhere.csv", "no such file or folder"),
        (lambda path: str(path / "nowhere"), "no such file or folder"),
        (lambda path: path / ("x" * 300 + ".csv"), "longer than the system allows"),
        (lambda path: path / "nul\0.csv", "NUL character"),
        (lambda path: path / "new\nline.csv", "no such file"),
        (lambda path: "~nobody-of-that-name/train.csv", "no such user's home"),
        (_pipe, "neither a file nor a folder"),
        (_loop, "leads to itself"),
        (_folder_called_csv, "no class folders"),
        (_one_idx_file, "is no source of images"),
        (lambda path: path, "no class folders"),
        (lambda path: Path("/dev/null"), "is no source of images"),
        (lambda path: Path(__file__) / "x.csv", "is a file, not a folder|not a folder"),
    ],
)
def test_a_path_that_is_no_source(tmp_path: Path, make, what: str) -> None:
    with pytest.raises(DataError, match=what) as caught:
        load(make(tmp_path))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("source", ["train.csv", "idx", "png"])
def test_a_file_without_permission(write, digits, tmp_path: Path, source: str) -> None:
    (tmp_path / "train.csv").write_bytes(write.csv(*digits))
    write.idx_folder(tmp_path / "idx", *digits)
    write.png_tree(tmp_path / "png", *digits)
    for file in ("train.csv", "idx/train-labels-idx1-ubyte", "png/3"):
        (tmp_path / file).chmod(0)
    user = os.geteuid()
    tmp_path.chmod(0o755)
    try:
        if user == 0:  # root reads every file, so be nobody for a moment
            os.seteuid(65534)
        with pytest.raises(DataError, match="permission denied"):
            load(tmp_path / source)
    finally:
        if user == 0:
            os.seteuid(user)
        (tmp_path / "png/3").chmod(0o755)


def test_size_resizes_images_and_must_fit_the_rest(write, digits, tmp_path: Path) -> None:
    write.idx_folder(tmp_path / "idx", *digits)
    write.png_tree(tmp_path / "png", *digits)
    assert load(tmp_path / "idx", size=6).train.images.shape[1:] == (6, 6)
    assert load(tmp_path / "png", size=3).train.images.shape[1:] == (3, 3)
    assert load(tmp_path / "png").train.images.shape[1:] == (6, 6)
    with pytest.raises(UsageError, match="holds images of 6 × 6 pixels; only image files are resized"):
        load(tmp_path / "idx", size=3)
    with pytest.raises(UsageError, match="size=0"):
        load(tmp_path / "idx", size=0)


def test_settings_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="valid="):
        load(tmp_path / "nowhere", valid=1)
    with pytest.raises(UsageError, match="seed="):
        load(tmp_path / "nowhere", seed=-1)


def test_a_tree_with_its_own_valid_part(write, digits, tmp_path: Path) -> None:
    images, labels = digits
    for part, some in (("train", slice(0, 100)), ("valid", slice(100, 150)), ("test", slice(150, 200))):
        write.png_tree(tmp_path / part, images[some], labels[some])
    dataset = load(tmp_path, valid=0.5)
    assert [len(part) for part in (dataset.train, dataset.valid, dataset.test)] == [100, 50, 50]
    assert re.fullmatch("[0-9a-f]{64}", dataset.hash)


def test_loaders_hand_over_the_parts() -> None:
    dls = load("digits", valid=0.2).loaders(batch_size=64)
    assert len(list(dls.train)) == 1150 // 64 + (1150 % 64 > 0)
