"""A run with its test part opened: the one place where that is done, and counted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from byhand import checkpoint, runs
from byhand.data.dataset import Dataset, Part
from byhand.errors import DataError
from byhand.evaluate.run_data import read_data
from byhand.loss import softmax
from byhand.networks import Network
from byhand.predict import predict_logits
from byhand.settings import Settings

__all__ = ["Opened", "open_test", "predict_probs"]


@final
@dataclass(frozen=True, slots=True)
class Opened:
    """A run with its data, the test part opened."""

    folder: Path
    record: dict[str, Any]
    settings: Settings
    model: Network
    data: Dataset
    probs: NDArray[np.float64]  # (N, C), for the test part

    @property
    def own(self) -> bool:
        """Whether these are the data that the run learnt from."""
        return self.data.hash == self.record["data"]["hash"]

    @property
    def hits(self) -> NDArray[np.bool_]:
        """(N,) whether each test image is named right."""
        return self.probs.argmax(axis=1) == self.data.test.labels


def open_test(run: str | Path, source: str | None = None) -> Opened:
    """Read a run and its data, count one more opening of the test part, and predict it.

    Args:
        run: the run's folder.
        source: the data to judge by, where they are not those that the run names.

    Raises:
        DataError: the run or its data cannot be read, the data have changed since, or they do not fit the model,
            or its answers are no numbers.
    """
    model, record = runs.load_run(run)
    _check(record)
    settings, about = Settings.of(record), record["data"]
    if source is None and about.get("test") == 0:
        raise DataError(
            f"{run} learnt from all labelled images of {about['source']} and kept none to test on; name other data to "
            f"judge by: byhand evaluate {run} DATA"
        )
    data = read_data(run, record, source)
    if isinstance(data, str):
        raise DataError(f"{data}; name the data to judge by: byhand evaluate {run} DATA")
    if not len(data.test):
        raise DataError(f"{data.source} has no test images; name data that have some")
    openings = checkpoint.read_run(run).get("test_openings", 0) + 1  # by now: reading the data took its time
    record = checkpoint.change_run(Path(run), {"test_openings": openings})
    probs = predict_probs(model, data.test)
    if not np.isfinite(probs).all():
        raise DataError(f"the model of {run} answers with what is no number; train again, with a tenth of the rate")
    return Opened(Path(run), record, settings, model, data, probs)


def predict_probs(model: Network, part: Part) -> NDArray[np.float64]:
    """Probabilities (N, C) of a part's images."""
    return softmax(predict_logits(model, part.images).double()).numpy()


def _check(record: dict[str, Any]) -> None:
    """DataError unless a run's record has what is read from it here."""
    data = record["data"]
    for name, value, kind in (
        ("data.source", data.get("source"), str),
        ("data.hash", data.get("hash"), str),
        ("settings.epochs", record["settings"].get("epochs"), int),
        ("lr", record.get("lr"), int | float),
        ("test_openings", record.get("test_openings"), int),
    ):
        if not isinstance(value, kind):
            raise DataError(f"run.json is damaged: its {name} is {value!r}; train again")
