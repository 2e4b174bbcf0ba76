"""The data of a run: read and split as when it learnt from them, and held against what it says of them."""

from pathlib import Path
from typing import Any

from byhand.data.dataset import Dataset
from byhand.data.load import load
from byhand.settings import Settings

__all__ = ["is_usual", "read_data"]


def read_data(run: str | Path, record: dict[str, Any], source: str | None = None) -> Dataset | str:
    """The data of a run; or, in words, why the run has nothing to do with what is there.

    Args:
        run: the run's folder.
        record: what its ``run.json`` holds.
        source: other data than those that it names: of the same images and classes, whatever their content.

    Raises:
        DataError, UsageError: they cannot be read.
    """
    settings, about = Settings.of(record), record["data"]
    data = load(
        source or about["source"],
        settings.valid,
        settings.seed,
        size=settings.size,
        grayscale=settings.grayscale,
        sample=True,
    )
    shape, classes = tuple(about["shape"]), tuple(about["classes"])
    if data.shape != shape or data.classes != classes:
        seen = f"{'×'.join(map(str, data.shape))} pixels and {len(data.classes)} classes"
        return (
            f"{data.source} has images of {seen}, and {run} learnt {'×'.join(map(str, shape))} pixels and "
            f"{len(classes)} classes: {', '.join(classes[:10])}"
        )
    if source is None and data.hash != about["hash"]:
        of_kaggle = about.get("test") == 0 and len(data.test) > 0
        why = "byhand kaggle took all its labelled images" if of_kaggle else "its content has changed since"
        return f"{data.source} is not what {run} learnt from: {why}"
    return data


def is_usual(settings: Settings) -> bool:
    """Whether data are split as ``load`` does it by itself, as they are wherever something is kept of a data set."""
    usual = Settings()
    return (settings.valid, settings.seed) == (usual.valid, usual.seed)
