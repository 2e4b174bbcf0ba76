"""What is known of a data set before any model is judged: its baselines and its linear ceiling.

They depend on the data alone, so they are found once and kept in byhand's folder, under the hash of the data: the
second question costs nothing, and needs no torch.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from byhand.data.cache import home
from byhand.data.dataset import Dataset
from byhand.errors import DataError
from byhand.evaluate.results import Baseline, Ceiling, Landmarks
from byhand.evaluate.statistics import Proportion, wilson
from byhand.files import write_atomically

__all__ = ["find_landmarks", "is_known", "linear_optimum"]

_FORMAT: Final = "byhand landmarks 1"


def find_landmarks(data: Dataset, ceiling: bool = True) -> Landmarks:
    """The baselines and the ceiling of a data set, measured on its test part.

    The ceiling is fitted to the training and validation parts together, and its penalty chosen on the latter. What is
    found is kept, unless the ceiling was left out.

    Args:
        data: split as ``load`` does it by itself, so that everybody shares what is kept.
        ceiling: find the linear ceiling too, which takes some seconds the first time.
    """
    known = _read(data)
    if known is not None:
        return known[0]
    if not ceiling:
        return _baselines(data)

    from byhand.evaluate.ceiling import find_ceiling  # here, because it imports torch

    found = _baselines(data)
    try:
        optimum = find_ceiling(data)
    except DataError as error:
        return replace(found, no_ceiling=str(error))
    found = replace(found, ceiling=optimum.ceiling, no_ceiling=None)
    _keep(data, json.dumps(asdict(found)), optimum.weight.numpy())
    return found


def is_known(data: Dataset) -> bool:
    """Whether they were found before, and are kept."""
    return _read(data) is not None


def linear_optimum(data: Dataset) -> NDArray[np.float64] | None:
    """The weights (C, P + 1) of the linear ceiling, the bias last, for pixels from 0 to 1; None if it is not known."""
    known = _read(data)
    return None if known is None else known[1]


def _baselines(data: Dataset) -> Landmarks:
    import torch

    from byhand.evaluate.baselines import MajorityClass, NearestMean

    classes, n = len(data.classes), len(data.test)
    images = np.concatenate([data.train.images, data.valid.images])
    rows = torch.as_tensor(images.reshape(len(images), -1))  # (N, P)
    labels = torch.as_tensor(np.concatenate([data.train.labels, data.valid.labels]))  # (N,)
    test, truth = torch.as_tensor(data.test.images.reshape(n, -1)), torch.as_tensor(data.test.labels)
    models = {
        f"always {data.classes[int(labels.bincount().argmax())]}": MajorityClass(labels, classes),
        "nearest mean image": NearestMean(rows, labels, classes),
    }
    measured = [
        Baseline(name, wilson(int((model(test).argmax(dim=1) == truth).sum()), n)) for name, model in models.items()
    ]
    share = 1 / classes  # of a guess it is known what it gets, and need not be measured
    return Landmarks(
        source=data.source,
        n=n,
        classes=data.classes,
        counts=_counts(data.test.labels, classes),
        train_counts=_counts(labels.numpy(), classes),
        baselines=(Baseline("uniform guess", Proportion(share, share, share, n)), *measured),
        ceiling=None,
        no_ceiling="it was left out",
    )


def _counts(labels: NDArray[np.int64], classes: int) -> tuple[int, ...]:
    return tuple(np.bincount(labels, minlength=classes).tolist())


def _place(data: Dataset) -> Path:
    name = "\n".join([_FORMAT, data.train.hash, data.valid.hash, data.test.hash])
    return home() / "landmarks" / f"{hashlib.sha256(name.encode()).hexdigest()[:40]}.safetensors"


def _keep(data: Dataset, found: str, weight: NDArray[np.float64]) -> None:
    with suppress(OSError, RuntimeError, DataError):  # no folder to write to: it is found again next time
        place = _place(data)
        place.parent.mkdir(parents=True, exist_ok=True)
        about = {"landmarks": found, "digest": _digest(place, found, weight)}
        write_atomically(place, safetensors.numpy.save({"weight": weight}, about))


def _read(data: Dataset) -> tuple[Landmarks, NDArray[np.float64]] | None:
    """What was kept, if it is whole and was kept under this name."""
    with suppress(OSError, RuntimeError, LookupError, TypeError, ValueError, safetensors.SafetensorError):
        place = _place(data)
        with cast("Any", safetensors).safe_open(str(place), "numpy") as file:
            about: Mapping[str, str] = file.metadata()
            weight: NDArray[np.float64] = file.get_tensor("weight")
        if about["digest"] == _digest(place, about["landmarks"], weight):
            return _from(json.loads(about["landmarks"]), data.source), weight
    return None


def _digest(place: Path, found: str, weight: NDArray[np.float64]) -> str:
    """SHA-256 of an entry, its name with it: a file that is damaged, or another's by a wrong name, has another."""
    return hashlib.sha256(f"{place.name}\n{found}\n".encode() + weight.tobytes()).hexdigest()


def _from(fields: dict[str, Any], source: str) -> Landmarks:
    """The record of its JSON; the source is called as the one who asks calls it."""
    ceiling = fields["ceiling"]
    return Landmarks(
        source=source,
        n=fields["n"],
        classes=tuple(fields["classes"]),
        counts=tuple(fields["counts"]),
        train_counts=tuple(fields["train_counts"]),
        baselines=tuple(Baseline(one["name"], Proportion(**one["accuracy"])) for one in fields["baselines"]),
        ceiling=Ceiling(**ceiling | {"accuracy": Proportion(**ceiling["accuracy"])}),
        no_ceiling=None,
    )
