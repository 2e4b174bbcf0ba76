"""What every test stands on: a home of its own, and the genuine MNIST files where they can be found."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_MNIST_FILES = [f"{part}-{what}" for part in ("train", "t10k") for what in ("images-idx3-ubyte", "labels-idx1-ubyte")]


def _find_mnist() -> Path | None:
    places = [Path(place) for place in os.environ.get("BYHAND_DATA", "").split(os.pathsep) if place]
    for place in [*places, ROOT.parent / "shared" / "data"]:
        for folder in (place, place / "mnist"):
            if all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in _MNIST_FILES):
                return folder
    return None


_MNIST = _find_mnist()


@pytest.fixture(scope="session")
def mnist_path() -> Path:
    """The folder of the four original IDX files; tests that take it are skipped without them."""
    if _MNIST is None:
        pytest.skip("the genuine MNIST files are neither in $BYHAND_DATA nor in ../shared/data/mnist")
    return _MNIST


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home: no test reads or leaves anything in the user's, or finds a copy of MNIST by chance."""
    folder = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(("BYHAND_", "XDG_", "KAGGLE_", "HF_", "KERAS_"))]:
        monkeypatch.delenv(name)
    for name in ("TORCH_HOME", "FASTAI_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))  # what HOME is called on Windows
    monkeypatch.setenv("BYHAND_HOME", str(folder / "byhand"))
    return folder
