"""A small data set for a class: scikit-learn's digits in IDX files, 1,297 rows to learn from and 500 to judge by."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from byhand.classroom.grading import known_rows
from byhand.classroom.rows import Known

PROGRAMS = Path(__file__).parents[2] / "benchmarks" / "class_submissions"


def _idx(array: np.ndarray) -> bytes:
    sizes = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@pytest.fixture(scope="session")
def class_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("class") / "digits-in-idx"
    folder.mkdir()
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    for name, rows in (("train", order[:1297]), ("t10k", order[1297:])):
        (folder / f"{name}-images-idx3-ubyte").write_bytes(_idx(images[rows].reshape(-1, 8, 8).astype(np.uint8)))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(_idx(labels[rows].astype(np.uint8)))
    return folder


@pytest.fixture(scope="session")
def known(class_data: Path) -> Known:
    return known_rows(class_data)


@pytest.fixture(scope="session")
def programs() -> Path:
    """The thirty submissions of the benchmark."""
    return PROGRAMS
