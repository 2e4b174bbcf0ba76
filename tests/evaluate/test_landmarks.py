"""What is known of a data set is found once, kept under its hash, and never believed when it is damaged."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import safetensors.numpy
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import NearestCentroid

from byhand import load
from byhand.data.dataset import Dataset, Part
from byhand.errors import DataError
from byhand.evaluate import ceiling, landmarks
from byhand.evaluate.landmarks import find_landmarks, linear_optimum
from byhand.evaluate.results import Landmarks
from byhand.evaluate.statistics import Proportion, wilson


@pytest.fixture
def no_search(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A function after which nothing may be found anew."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("it was looked for again")

    def start() -> None:
        monkeypatch.setattr(landmarks, "_baselines", refuse)
        monkeypatch.setattr(ceiling, "find_ceiling", refuse)

    return start


def small(source: str = "small", seed: int = 0, classes: tuple[str, ...] = ("a", "b", "c")) -> Dataset:
    """Images of 3 × 3, each class bright in a row of its own."""
    rng = np.random.default_rng(seed)

    def part(n: int, name: str) -> Part:
        labels = np.arange(n) % 3
        images = rng.integers(0, 120, (n, 3, 3))
        images[np.arange(n), labels] += 80
        return Part(images.astype(np.uint8), labels, classes, f"{name} {seed} {classes}")

    return Dataset(source, part(90, "train"), part(30, "valid"), part(40, "test"), classes, f"{seed} {classes}")


def entry(home: Path) -> Path:
    (file,) = (home / "byhand" / "landmarks").iterdir()
    return file


def same(found: Landmarks, other: Landmarks) -> bool:
    """Equal but for the seconds that it took."""
    assert found.ceiling
    assert other.ceiling
    return replace(found, ceiling=replace(found.ceiling, seconds=0)) == replace(
        other, ceiling=replace(other.ceiling, seconds=0)
    )


@pytest.mark.filterwarnings("ignore:self.within_class_std_dev_")  # some pixels are never on
def test_the_ladder_of_the_digits_is_scikit_learns() -> None:
    data = load("digits")
    found = find_landmarks(data)
    x = np.concatenate([data.train.images, data.valid.images]).reshape(-1, 64) / 255
    y = np.concatenate([data.train.labels, data.valid.labels])
    test, truth = data.test.images.reshape(-1, 64) / 255, data.test.labels
    uniform, majority, nearest = found.baselines
    assert (uniform.name, uniform.accuracy) == ("uniform guess", Proportion(0.1, 0.1, 0.1, len(truth)))
    dummy = DummyClassifier(strategy="most_frequent").fit(x, y)
    assert majority.name == f"always {dummy.predict(test)[0]}"
    for model, baseline in ((dummy, majority), (NearestCentroid().fit(x, y), nearest)):
        assert baseline.accuracy == wilson(int((model.predict(test) == truth).sum()), len(truth))
    assert found.ceiling
    assert nearest.accuracy.value < found.ceiling.accuracy.value
    assert found.counts == tuple(np.bincount(truth).tolist())
    assert found.train_counts == tuple(np.bincount(y).tolist())
    assert (found.source, found.n, found.classes) == ("digits", len(truth), data.classes)
    assert found.no_ceiling is None


def test_it_is_found_once_and_the_source_is_called_as_the_one_who_asks_calls_it(
    no_search: Callable[[], None],
) -> None:
    first = find_landmarks(small("by name"))
    no_search()
    assert find_landmarks(small("by name")) == first
    assert find_landmarks(small("by path")) == replace(first, source="by path")
    assert find_landmarks(small("by name"), ceiling=False) == first


def test_the_weights_of_the_ceiling_are_kept_with_it() -> None:
    assert linear_optimum(small()) is None
    found = find_landmarks(small())
    weight = linear_optimum(small())
    assert weight is not None
    assert weight.shape == (3, 10)
    assert np.array_equal(weight, ceiling.find_ceiling(small()).weight.numpy())
    test = small().test
    preds = (test.images.reshape(-1, 9) / 255 @ weight[:, :-1].T + weight[:, -1]).argmax(axis=1)
    assert found.ceiling
    assert (preds == test.labels).mean() == found.ceiling.accuracy.value


def test_what_is_kept_is_read_without_torch() -> None:
    code = (
        "import sys\n"
        "from byhand.data.load import load\n"
        "from byhand.evaluate.landmarks import find_landmarks, linear_optimum\n"
        "data = load('digits')\n"
        "print(find_landmarks(data).ceiling, linear_optimum(data).sum(), 'torch' in sys.modules)"
    )
    run = [sys.executable, "-W", "error", "-c", code]
    cold, warm = (subprocess.run(run, capture_output=True, text=True, check=True).stdout.split() for _ in range(2))
    assert cold[:-1] == warm[:-1]
    assert (cold[-1], warm[-1]) == ("True", "False")


@pytest.mark.parametrize("other", [small(seed=1), small(classes=("a", "b", "d"))], ids=["rows", "names"])
def test_other_rows_and_other_names_have_an_entry_of_their_own(other: Dataset, home: Path) -> None:
    first, second = find_landmarks(small()), find_landmarks(other)
    assert len(list((home / "byhand" / "landmarks").iterdir())) == 2
    assert find_landmarks(small()) == first
    assert find_landmarks(other) == second != first


@pytest.mark.parametrize("name", ["train", "valid", "test"])
def test_each_part_counts(name: str) -> None:
    find_landmarks(small())
    part = replace(getattr(small(), name), hash="another")
    assert linear_optimum(replace(small(), **{name: part})) is None


def test_another_split_of_the_same_rows_has_an_entry_of_its_own() -> None:
    find_landmarks(load("digits"))
    assert linear_optimum(load("digits", seed=1)) is None
    assert linear_optimum(load("digits", valid=0.2)) is None
    assert linear_optimum(load("digits")) is not None


# Files that are not what they should be.


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut off": lambda content: content[:-1],
    "half": lambda content: content[: len(content) // 2],
    "no header": lambda content: content[:4],
    "longer": lambda content: content + b"\0",
    "zeros": lambda content: bytes(len(content)),
    "text": lambda content: b"these are not the numbers\n" * 100,
    "a weight": lambda content: flipped(content, len(content) - 8),
    "a number": lambda content: flipped(content, content.index(b"train_accuracy") + len(b'train_accuracy\\": 0.')),
    "another tool's": lambda content: safetensors.numpy.save({"weight": np.zeros((3, 10))}),
    "no weights": lambda content: safetensors.numpy.save({"bias": np.zeros(3)}, {"digest": "", "landmarks": "{}"}),
    "not json": lambda content: safetensors.numpy.save({"weight": np.zeros((3, 10))}, {"digest": "", "landmarks": "{"}),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_entry_is_found_again_and_mended(kind: str, home: Path, no_search: Callable[[], None]) -> None:
    first = find_landmarks(small())
    file = entry(home)
    file.write_bytes(DAMAGE[kind](file.read_bytes()))
    assert linear_optimum(small()) is None
    again = find_landmarks(small())
    assert same(again, first)
    no_search()
    assert find_landmarks(small()) == again


def test_no_single_flipped_bit_is_believed(home: Path) -> None:
    find_landmarks(small())
    content = entry(home).read_bytes()
    for place in range(0, len(content), 7):
        entry(home).write_bytes(flipped(content, place))
        known = linear_optimum(small())
        entry(home).write_bytes(content)
        sound = linear_optimum(small())
        assert sound is not None
        assert known is None or np.array_equal(known, sound), place  # the header's padding says nothing


def test_another_data_sets_entry_under_this_ones_name_is_not_believed(home: Path) -> None:
    find_landmarks(small())
    file = entry(home)
    expected = find_landmarks(small(seed=1))
    (other,) = set(file.parent.iterdir()) - {file}
    other.write_bytes(file.read_bytes())
    assert linear_optimum(small(seed=1)) is None
    assert same(find_landmarks(small(seed=1)), expected)


def test_an_entry_that_is_a_folder_is_passed_over(home: Path) -> None:
    first = find_landmarks(small())
    file = entry(home)
    file.unlink()
    file.mkdir()
    assert same(find_landmarks(small()), first)
    assert file.is_dir()


def test_without_a_folder_to_write_to_it_is_found_each_time(home: Path) -> None:
    (home / "byhand").write_text("a file where the folder should be")
    first = find_landmarks(small())
    assert same(find_landmarks(small()), first)
    assert linear_optimum(small()) is None
    assert (home / "byhand").read_text() == "a file where the folder should be"


def test_without_a_home_it_is_found_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> NoReturn:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(landmarks, "home", homeless)
    assert same(find_landmarks(small()), find_landmarks(small()))


# The ceiling left out.


def test_the_ceiling_can_be_left_out_and_then_nothing_is_kept(home: Path) -> None:
    found = find_landmarks(small(), ceiling=False)
    assert (found.ceiling, found.no_ceiling) == (None, "it was left out")
    assert len(found.baselines) == 3
    assert not (home / "byhand").exists()
    full = find_landmarks(small())
    assert replace(full, ceiling=None, no_ceiling="it was left out") == found


def test_a_ceiling_that_cannot_be_found_says_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Dataset) -> NoReturn:
        raise DataError("too many pixels")

    monkeypatch.setattr(ceiling, "find_ceiling", refuse)
    found = find_landmarks(small())
    assert (found.ceiling, found.no_ceiling) == (None, "too many pixels")
    assert len(found.baselines) == 3
    assert not (home / "byhand").exists()
