import gzip
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from byhand.data.idx import find_idx_folder, idx_files, read_idx, read_idx_folder
from byhand.errors import DataError

_DTYPES = st.sampled_from(["u1", "i1", "<i2", "<i4", "<f4", "<f8"])


def test_a_file_written_byte_by_byte(tmp_path: Path) -> None:
    file = tmp_path / "two"
    file.write_bytes(bytes([0, 0, 0x0B, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 1, 0, 2, 0xFF, 0xFF, 0x7F, 0xFF, 0x80, 0, 1, 0]))
    read = read_idx(file)
    assert read.tolist() == [[1, 2, -1], [32767, -32768, 256]]
    assert read.dtype == np.int16
    assert read.dtype.isnative


def test_more_images_than_are_read_into_memory(write, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("byhand.data.files.MAX_ROWS", 3)
    folder = write.idx_folder(tmp_path, np.zeros((3, 2, 2), np.uint8), np.zeros(3, np.uint8))
    assert len(read_idx_folder(folder).train.labels) == 3
    write.idx_folder(tmp_path, np.zeros((4, 2, 2), np.uint8), np.zeros(4, np.uint8))
    with pytest.raises(DataError, match="more images than the 3 that are read into memory"):
        read_idx_folder(folder)


@settings(max_examples=60, deadline=None)
@given(array=_DTYPES.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(max_dims=4, max_side=5))), gz=st.booleans())
def test_round_trip(write, array, gz) -> None:
    content = write.idx(array)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "array")
        file.write_bytes(gzip.compress(content) if gz else content)
        read = read_idx(file)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("gz", [False, True])
def test_cut_at_every_byte_or_one_too_long(write, tmp_path: Path, gz: bool) -> None:
    whole = write.idx(np.arange(60, dtype=np.uint8).reshape(5, 3, 4))
    whole = gzip.compress(whole) if gz else whole
    file = tmp_path / "array"
    for length in [*range(len(whole)), len(whole) + 1]:
        file.write_bytes((whole + b"\0")[:length])
        with pytest.raises(DataError) as caught:
            read_idx(file)
        assert "\n" not in str(caught.value)
        assert str(file) in str(caught.value)
    file.write_bytes(whole)
    assert read_idx(file).shape == (5, 3, 4)


@pytest.mark.parametrize(
    "change",
    [
        lambda packed: packed + gzip.compress(b""),  # a second member
        lambda packed: packed[:-8] + bytes(4) + packed[-4:],  # the CRC
        lambda packed: packed[:-4] + bytes(4),  # the length
    ],
)
def test_a_damaged_gzip_stream(write, tmp_path: Path, change) -> None:
    file = tmp_path / "array.gz"
    file.write_bytes(change(gzip.compress(write.idx(np.arange(90, dtype=np.uint8).reshape(10, 3, 3)))))
    with pytest.raises(DataError, match="gzip stream"):
        read_idx(file)


def _peak_of_refusal(file: Path) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            read_idx(file)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_gzip_bomb_is_left_at_the_declared_size(tmp_path: Path) -> None:
    pack = zlib.compressobj(9, wbits=31)
    head = bytes([0, 0, 8, 3, 0, 0, 0, 10, 0, 0, 0, 28, 0, 0, 0, 28])
    zeros = bytes(1 << 20)
    file = tmp_path / "bomb.gz"
    with file.open("wb") as out:
        out.write(pack.compress(head))
        for _ in range(200):
            out.write(pack.compress(zeros))
        out.write(pack.flush())
    assert _peak_of_refusal(file) < 4 << 20  # of 200 MiB


@pytest.mark.parametrize("shape", [(2**32 - 1,) * 3, (2**16, 2**16, 2**16), (2**31, 2, 1), (2**32 - 1,) * 8])
def test_sizes_that_overflow_are_refused_before_memory_is_taken(tmp_path: Path, shape) -> None:
    file = tmp_path / "huge"
    file.write_bytes(bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape) + bytes(100))
    assert _peak_of_refusal(file) < 1 << 20


@pytest.mark.parametrize("names", [("train", "t10k", "-idx"), ("train", "test", ".idx")])
@pytest.mark.parametrize("below", [".", "raw", "MNIST/raw"])
@pytest.mark.parametrize("gz", [False, True])
def test_the_names_and_places_of_the_files(write, tmp_path: Path, digits, names, below, gz) -> None:
    images, labels = digits
    folder = write.idx_folder(tmp_path / below, images[:150], labels[:150], (images[150:], labels[150:]), gz)
    for file in list(folder.iterdir()):
        file.rename(folder / file.name.replace("t10k", names[1]).replace("-idx", names[2]))
    raw = read_idx_folder(tmp_path)
    np.testing.assert_array_equal(raw.train.images, images[:150])
    np.testing.assert_array_equal(raw.train.labels, labels[:150])
    assert raw.test is not None
    np.testing.assert_array_equal(raw.test.images, images[150:])
    assert raw.classes == tuple("0123456789")
    found = find_idx_folder(tmp_path)
    assert found is not None
    assert len(idx_files(found)) == 4


def test_training_files_alone(write, tmp_path: Path, digits) -> None:
    assert read_idx_folder(write.idx_folder(tmp_path, *digits)).test is None


def test_files_that_are_no_pair(write, tmp_path: Path, digits) -> None:
    images, labels = digits
    folder = write.idx_folder(tmp_path, images, labels)
    image_file, label_file = folder / "train-images-idx3-ubyte", folder / "train-labels-idx1-ubyte"
    wrong = {
        image_file: [images.astype(np.int32), images[:, 0], images[:0], images[:, :, :0], labels.astype(np.uint8)],
        label_file: [
            labels[:-1].astype(np.uint8),
            labels.astype(np.float32),
            images,
            labels.astype(np.int32) * 1000 - 1,
        ],
    }
    for file, arrays in wrong.items():
        sound = file.read_bytes()
        for array in arrays:
            file.write_bytes(write.idx(array))
            with pytest.raises(DataError):
                read_idx_folder(folder)
        file.write_bytes(sound)
    read_idx_folder(folder)
    label_file.unlink()
    with pytest.raises(DataError, match="without its partner"):
        read_idx_folder(folder)


def test_a_test_label_that_training_never_saw(write, tmp_path: Path, digits) -> None:
    images, labels = digits
    folder = write.idx_folder(tmp_path, images, labels, (images[:3], np.array([1, 2, 11])))
    with pytest.raises(DataError, match="label 11 of image 3 of the test part"):
        read_idx_folder(folder)


def test_genuine_mnist(mnist_path: Path) -> None:
    raw = read_idx_folder(mnist_path)
    assert raw.test is not None
    assert raw.train.images.shape == (60_000, 28, 28)
    assert raw.test.images.shape == (10_000, 28, 28)
    # The share of ink and the counts of the classes are those of LeCun's page and every table since.
    assert round(float(raw.train.images.mean() / 255), 4) == 0.1307
    assert np.bincount(raw.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert raw.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
