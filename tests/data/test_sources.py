import gzip
import hashlib
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from byhand.data import catalog, sources
from byhand.data.catalog import SOURCES
from byhand.errors import DataError, UsageError

FILES = [file.name for file in SOURCES[1].files]
OTHERS = ["fashion-mnist", "kmnist"]


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def unknown_copy(folder, packed=True):
    """IDX files with MNIST's names and some other content."""
    folder.mkdir(parents=True)
    for name in FILES:
        data = idx(np.zeros((3, 28, 28) if "images" in name else 3, np.uint8))
        (folder / (name if packed else name[:-3])).write_bytes(gzip.compress(data) if packed else data)
    return folder


def genuine_copy(folder, mnist_path, packed=True):
    folder.mkdir(parents=True)
    for name in FILES:
        data = (mnist_path / name).read_bytes()
        (folder / (name if packed else name[:-3])).write_bytes(data if packed else gzip.decompress(data))
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A working folder with nothing in it."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def test_the_digests_are_those_of_the_genuine_files(mnist_path):
    for file in SOURCES[1].files:
        content = gzip.decompress((mnist_path / file.name).read_bytes())
        assert hashlib.sha256(content).hexdigest() == file.content
    published = {
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    }
    contents = [gzip.decompress((mnist_path / name).read_bytes()) for name in FILES]
    assert {hashlib.md5(data, usedforsecurity=False).hexdigest() for data in contents} == published


def test_each_source_is_complete_and_no_digest_occurs_twice():
    digests = [file.sha256 for source in SOURCES for file in source.files]
    assert len(set(digests)) == len(digests) == 12
    assert all(len(digest) == 64 and int(digest, 16) for digest in digests)
    for source in SOURCES:
        assert len(source.classes) == 10
        assert [file.name for file in source.files] in ([], FILES)
        assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in source.mirrors)
    assert catalog.NAMES == ("digits", "mnist", "fashion-mnist", "kmnist")


def test_nothing_is_found_where_nothing_is():
    assert [sources.find(name) for name in catalog.NAMES[1:]] == [None, None, None]


def test_digits_come_with_scikit_learn():
    assert sources.find("digits").is_file()
    assert sources.get("digits") == sources.find("digits")


def test_an_unknown_name_is_a_usage_error():
    for call in (sources.find, sources.get, catalog.describe):
        with pytest.raises(UsageError, match=r"emnist: no data set of that name; names are digits, mnist"):
            call("emnist")


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("below", [".", "mnist", "MNIST", "MNIST/raw", "mnist/raw"])
def test_byhand_data_is_the_copy_or_holds_it(elsewhere, mnist_path, monkeypatch, below, packed):
    folder = genuine_copy(elsewhere / "copies" / below, mnist_path, packed)
    monkeypatch.setenv("BYHAND_DATA", f"{elsewhere / 'absent'}:{elsewhere / 'copies'}")
    assert sources.find("mnist") == folder.resolve()
    assert sources.get("mnist") == folder.resolve()
    assert sources.find("fashion-mnist") is sources.find("kmnist") is None


@pytest.mark.parametrize("name", OTHERS)
def test_a_copy_of_unknown_content_is_known_by_its_folder(elsewhere, monkeypatch, name):
    folder = unknown_copy(elsewhere / "copies" / name)
    monkeypatch.setenv("BYHAND_DATA", str(elsewhere / "copies"))
    assert sources.find(name) == folder
    assert [other for other in catalog.NAMES[1:] if sources.find(other)] == [name]
    monkeypatch.setenv("BYHAND_DATA", str(folder))
    assert [other for other in catalog.NAMES[1:] if sources.find(other)] == [name]


def test_mnist_in_another_ones_folder_is_still_mnist_and_what_is_not_mnist_never_is(elsewhere, mnist_path, monkeypatch):
    genuine_copy(elsewhere / "a" / "fashion-mnist", mnist_path)
    monkeypatch.setenv("BYHAND_DATA", str(elsewhere / "a"))
    assert [sources.find(name) for name in OTHERS] == [None, None]
    monkeypatch.setenv("BYHAND_DATA", str(elsewhere / "a" / "fashion-mnist"))
    assert sources.find("mnist") == elsewhere / "a" / "fashion-mnist"
    unknown_copy(elsewhere / "b" / "mnist")
    monkeypatch.setenv("BYHAND_DATA", str(elsewhere / "b"))
    assert [sources.find(name) for name in catalog.NAMES[1:]] == [None, None, None]


def test_a_copy_that_lacks_a_file_is_none(elsewhere, mnist_path, monkeypatch):
    folder = genuine_copy(elsewhere / "mnist", mnist_path)
    (folder / FILES[3]).unlink()
    monkeypatch.setenv("BYHAND_DATA", str(elsewhere))
    assert sources.find("mnist") is None


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b", b"\x1f\x8b\x08\0junk", b"\0\0\x08\x01"])
def test_a_damaged_copy_is_passed_over(elsewhere, mnist_path, monkeypatch, damage):
    folder = genuine_copy(elsewhere / "mnist", mnist_path)
    for name in FILES:
        (folder / name).write_bytes(damage)
    monkeypatch.setenv("BYHAND_DATA", str(elsewhere))
    assert sources.find("mnist") is None


@pytest.mark.parametrize(("name", "torchvision"), [("fashion-mnist", "FashionMNIST"), ("kmnist", "KMNIST")])
def test_torchvisions_places_are_looked_into_in_order(elsewhere, home, name, torchvision):
    user = unknown_copy(home / "data" / torchvision / "raw")
    assert sources.find(name) == user
    data = unknown_copy(elsewhere / "work" / "data" / torchvision / "raw")
    assert sources.find(name).resolve() == data
    here = unknown_copy(elsewhere / "work" / torchvision / "raw", packed=False)
    assert sources.find(name).resolve() == here
    assert [other for other in catalog.NAMES[1:] if sources.find(other)] == [name]


def test_torchvisions_mnist_comes_before_fastais_keras_and_our_own(elsewhere, home, mnist_path, monkeypatch):
    own = genuine_copy(home / "byhand" / "data" / "mnist", mnist_path)
    assert sources.find("mnist") == own
    kaggle = home / ".cache" / "kagglehub" / "competitions" / "digit-recognizer"
    kaggle.mkdir(parents=True)
    (kaggle / "train.csv").write_text("label,pixel0\n1,2\n")
    assert sources.find("mnist") == kaggle
    keras = home / ".keras" / "datasets" / "mnist.npz"
    keras.parent.mkdir(parents=True)
    keras.write_bytes(b"PK")
    assert sources.find("mnist") == keras
    fastai = home / ".fastai" / "data" / "mnist_png"
    (fastai / "training" / "0").mkdir(parents=True)
    assert sources.find("mnist") == fastai
    monkeypatch.setenv("FASTAI_HOME", str(elsewhere / "fast"))
    assert sources.find("mnist") == keras
    shutil.copytree(fastai, elsewhere / "fast" / "data" / "mnist_png")
    assert sources.find("mnist") == elsewhere / "fast" / "data" / "mnist_png"
    torchvision = genuine_copy(home / "data" / "MNIST" / "raw", mnist_path)
    assert sources.find("mnist") == torchvision


def test_keras_keeps_fashion_as_idx(home):
    folder = unknown_copy(home / ".keras" / "datasets" / "fashion-mnist")
    assert sources.find("fashion-mnist") == folder


def test_a_folder_of_images_named_after_the_source_will_do(elsewhere, monkeypatch):
    target = elsewhere / "copies" / "kuzushiji-mnist" / "train" / "0"
    target.mkdir(parents=True)
    Image.new("L", (28, 28)).save(target / "0.png")
    monkeypatch.setenv("BYHAND_DATA", str(elsewhere / "copies"))
    assert sources.find("kmnist") == elsewhere / "copies" / "kuzushiji-mnist"
    assert sources.find("mnist") is None


def test_looking_imports_nothing_heavy():
    import subprocess

    code = (
        "import sys; from byhand.data import catalog, sources; [sources.find(n) for n in catalog.NAMES];"
        "print([m for m in ('torch', 'sklearn', 'pooch', 'requests', 'matplotlib', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_a_network_the_message_says_what_to_do(home, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens on the discard port
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(DataError) as error:
        sources.get("kmnist")
    text = str(error.value)
    assert text.startswith("kmnist: cannot be downloaded (codh.rois.ac.jp: ")
    assert "\n" not in text
    assert str(home / "byhand" / "data" / "kmnist") in text
    for word in ("train-images-idx3-ubyte.gz", "by hand", "$BYHAND_DATA", "use digits"):
        assert word in text
    assert list((home / "byhand").rglob("*.*")) == []
