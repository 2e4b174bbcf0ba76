"""What more than one command says of a run before it begins."""

import textwrap
from typing import TYPE_CHECKING, Final

from byhand.commands import one_line
from byhand.data.dataset import Dataset
from byhand.data.shards import Sharded

if TYPE_CHECKING:
    from byhand.networks import Network
    from byhand.settings import Settings

__all__ = ["data_line", "model_line", "paragraph"]

_WIDE: Final = 100  # columns of running text: longer lines are hard to read


def data_line(data: Dataset | Sharded, source: str | None) -> str:
    """The data and the sizes of their parts; if nobody named them, how to get the others."""
    sizes = f"{len(data.train):,} images to learn from, {len(data.valid):,} to judge by, {len(data.test):,} sealed"
    other = {"mnist": "  (a quick try: byhand train digits)", "digits": "  (for MNIST: byhand data get mnist)"}
    return f"data   {one_line(data.source)}: {sizes}" + (other.get(data.source, "") if source is None else "")


def model_line(settings: "Settings", model: "Network") -> str:
    """The model, its layers' sizes and its start."""
    numbers = sum(p.numel() for p in model.parameters())
    start = settings.init if settings.weights is None else one_line(settings.weights)
    return f"model  {settings.model} {'-'.join(map(str, model.sizes))}: {numbers:,} numbers, started from {start}"


def paragraph(text: str, first: str = "") -> str:
    """Running text in lines of at most 100 columns: ``first`` before the first, as many spaces before the others."""
    return textwrap.fill(
        one_line(text),
        _WIDE,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_on_hyphens=False,
        break_long_words=False,
    )
