import io
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from byhand.data.npz import read_npz
from byhand.errors import DataError


@settings(max_examples=40, deadline=None)
@given(
    images=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)),
    names=st.sampled_from([("x_train", "y_train"), ("images", "labels"), ("x", "y")]),
    dtype=st.sampled_from(["u1", "<i2", ">i4", "<i8", "<u8"]),
    packed=st.booleans(),
    fortran=st.booleans(),
)
def test_round_trip(images, names, dtype, packed, fortran) -> None:
    labels = (np.arange(len(images)) % 3).astype(dtype)
    held = images.astype(dtype, order="F" if fortran else "C")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "digits.npz")
        (np.savez_compressed if packed else np.savez)(file, **{names[0]: held, names[1]: labels})
        raw = read_npz(file)
    assert raw.train.images.dtype == np.uint8
    assert raw.train.images.flags.c_contiguous
    np.testing.assert_array_equal(raw.train.images, images)
    np.testing.assert_array_equal(raw.train.labels, labels)
    assert raw.test is None


def test_more_than_is_read_into_memory(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "digits.npz"
    images, labels = np.zeros((4, 10, 10), np.uint8), np.zeros(4, np.uint8)
    monkeypatch.setattr("byhand.data.files.MAX_ROWS", 3)
    np.savez(file, x=images, y=labels)
    with pytest.raises(DataError, match="more images than the 3 that are read into memory"):
        read_npz(file)
    np.savez(file, x=images[:3], y=labels[:3])
    assert len(read_npz(file).train.labels) == 3
    monkeypatch.setattr("byhand.data.npz.MAX_BYTES", 1500)
    np.savez(file, x_train=images[:3], y_train=labels[:3], x_test=images[:3], y_test=labels[:3], other=np.zeros(9999))
    assert len(read_npz(file).train.labels) == 3
    np.savez(file, x_train=np.zeros((3, 20, 20), np.uint8), y_train=labels[:3], x_test=images[:3], y_test=labels[:3])
    with pytest.raises(DataError, match="records 2,018 bytes in x_train, y_train, x_test, y_test, more than the 1,500"):
        read_npz(file)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("place", [(0, 0, 0), (2, 1, 3), (2500, 29, 29)])
def test_the_first_value_that_is_no_pixel_is_named(tmp_path: Path, order, place) -> None:
    images = np.zeros((2501, 30, 30), np.int16, order=order)
    images[place], images[-1, -1, -1] = -7, 300 if place[0] < 2500 else -7
    np.savez(tmp_path / "digits.npz", x=images, y=np.zeros(2501, np.uint8))
    with pytest.raises(DataError, match=rf"x holds -7 at \[{place[0]}, {place[1]}, {place[2]}\]; pixels"):
        read_npz(tmp_path / "digits.npz")


@pytest.mark.parametrize("shape", [(-1, 36), (-1, 6, 6, 1)])
def test_keras_layout_and_flat_images(write, tmp_path: Path, digits, shape) -> None:
    images, labels = digits
    held = images.reshape(shape)
    file = tmp_path / "mnist.npz"
    file.write_bytes(write.npz(x_train=held[:150], y_train=labels[:150], x_test=held[150:], y_test=labels[150:]))
    raw = read_npz(file)
    assert raw.test is not None
    np.testing.assert_array_equal(raw.train.images, images[:150])
    np.testing.assert_array_equal(raw.test.labels, labels[150:])
    assert raw.classes == tuple("0123456789")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"x": np.zeros((10, 4, 4))}, "x holds float64 values; images are integers"),
        ({"x": np.full((10, 4, 4), -1)}, r"x holds -1 at \[0, 0, 0\]"),
        ({"x": np.full((10, 4, 4), 256)}, "x holds 256"),
        ({"x": np.zeros((10, 4, 4, 3), np.uint8)}, r"x has the shape \(10, 4, 4, 3\)"),
        ({"x": np.zeros((10, 5), np.uint8)}, "x has the shape"),
        ({"x": np.zeros((0, 4, 4), np.uint8)}, "none of them 0"),
        ({"x": np.zeros((), np.uint8)}, "x has the shape"),
        ({"x": np.zeros((9, 4, 4), np.uint8)}, "9 images and y 10 labels"),
        ({"y": np.zeros(10)}, "labels are integers"),
        ({"y": np.zeros((10, 1), int)}, "labels are integers"),
        ({"y": np.full(10, -3)}, r"label -3 of image 1 of the training part is outside 0\.\.999"),
        ({"y": np.full(10, 2**64 - 1, np.uint64)}, r"outside 0\.\.999"),
        ({"y": np.array([None] * 10)}, "y holds values of type object"),
        ({"y": np.array(["a"] * 10)}, "y holds values of type <U1"),
        ({"y": np.zeros(10, [("a", int)])}, "y holds values of type"),
        ({"x": np.zeros((10, 4, 4), bool)}, "x holds values of type bool"),
    ],
)
def test_arrays_that_are_no_images_or_labels(tmp_path: Path, change, what: str) -> None:
    arrays = {"x": np.zeros((10, 4, 4), np.uint8), "y": np.arange(10)}
    file = tmp_path / "digits.npz"
    np.savez(file, **arrays)
    read_npz(file)
    np.savez(file, **(arrays | change))
    with pytest.raises(DataError, match=what) as caught:
        read_npz(file)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({}, "holds nothing"),
        ({"x": 0}, "holds x; needed"),
        ({"x_train": 3, "y_train": 1, "x_test": 3}, "x_test without its partner"),
        ({"x_train": 3, "y_train": 1, "x_test": 2, "y_test": 1}, "the test part have 2 × 2 pixels"),
    ],
)
def test_names_that_do_not_make_pairs(tmp_path: Path, arrays, what: str) -> None:
    shapes = {0: (), 1: (9,), 2: (9, 2, 2), 3: (9, 3, 3)}
    file = tmp_path / "digits.npz"
    np.savez(file, **{name: np.zeros(shapes[dims], np.uint8) for name, dims in arrays.items()})
    with pytest.raises(DataError, match=what):
        read_npz(file)


def _npy(shape: str, descr: str = "|u1", body: bytes = b"") -> bytes:
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + (len(head) + 1).to_bytes(2, "little") + head + b"\n" + body


@pytest.mark.parametrize(
    "array",
    [
        _npy("(9000000000, 28, 28)"),
        _npy("(-1, 28, 28)"),
        _npy("(10, 28, 27)", body=bytes(7840)),
        _npy("(10, 28, 29)", body=bytes(7840)),
        _npy("('a',)", body=bytes(10)),
        _npy("(10,) * 9**9"),
        _npy("(10, 28, 28)", "|O", bytes(7840)),
        _npy("(10, 28, 28)", "nonsense", bytes(7840)),
        _npy("(1" + "0" * 12000 + ",)"),
        b"\x93NUMPY\x09\x00" + bytes(100),
        b"PK",
        b"",
    ],
)
def test_a_header_that_lies(tmp_path: Path, array: bytes) -> None:
    file = tmp_path / "digits.npz"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", array)
        archive.writestr("y.npy", _npy("(10,)", body=bytes(range(10))))
    with pytest.raises(DataError) as caught:
        read_npz(file)
    assert str(caught.value).isprintable()


def test_a_zip_bomb_is_refused_by_its_declared_size(tmp_path: Path) -> None:
    file = tmp_path / "bomb.npz"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("x.npy", "w", force_zip64=True) as out:
            out.write(_npy("(10, 28, 28)"))
            for _ in range(100):
                out.write(bytes(1 << 20))
        archive.writestr("y.npy", _npy("(10,)", body=bytes(range(10))))
    tracemalloc.start()
    with pytest.raises(DataError, match="declares the shape"):
        read_npz(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20  # of 100 MiB


def test_a_packing_that_numpy_does_not_use(tmp_path: Path) -> None:
    file = tmp_path / "digits.npz"
    array = io.BytesIO()
    np.save(array, np.zeros((10, 4, 4), np.uint8))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.npy", array.getvalue())
        archive.writestr("y.npy", _npy("(10,)", body=bytes(range(10))))
    with pytest.raises(DataError, match="packed by a method"):
        read_npz(file)
