"""What a search for the rate found: the rate, its range, the rules' suggestions, and the picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, final

from byhand.files import write_atomically

__all__ = ["LRCurve", "LRFound"]


@final
@dataclass(frozen=True, slots=True)
class LRCurve:
    """A range test with one order of the batches: rates, and the smoothed loss at each."""

    lrs: tuple[float, ...]
    losses: tuple[float, ...]


@final
@dataclass(frozen=True, slots=True)
class LRFound:
    """The rate that trials chose, and what the range test says beside it.

    Unpacking it gives the suggestions of the rules that were asked for, as fastai's named tuple does.
    """

    lr: float
    low: float  # from here ...
    high: float  # ... to here a trial does about as well
    rule: str
    valley: float | None  # each rule's suggestion, the median over the orders; None where the curve gives none
    slide: float | None
    minimum: float | None
    steep: float | None
    ranges: dict[str, tuple[float, float] | None]  # its least and greatest over the orders
    curves: tuple[LRCurve, ...]
    asked: tuple[float | None, ...]
    steps: int  # of the trials
    seconds: float

    @property
    def suggestions(self) -> dict[str, float | None]:
        """The four rules' suggestions by name."""
        return {"valley": self.valley, "slide": self.slide, "minimum": self.minimum, "steep": self.steep}

    @property
    def curve(self) -> LRCurve:
        """The range test in the first order."""
        return self.curves[0]

    def __iter__(self) -> Iterator[float | None]:
        return iter(self.asked)

    def plot(self) -> Any:
        """The range test in each order, the rules' suggestions, and the rate: a matplotlib figure."""
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
        ax: Any = axes
        for number, curve in enumerate(self.curves):
            label = f"range test, {len(self.curves)} orders" if number == 0 else None
            ax.plot(curve.lrs, curve.losses, color="0.6", linewidth=1, label=label)
        for (name, lr), style in zip(self.suggestions.items(), ("--", "-.", ":", (0, (1, 4))), strict=True):
            if lr is not None:
                ax.axvline(lr, color="tab:blue", linestyle=style, label=f"{name} {lr:.2g}")
        ax.axvspan(self.low, self.high, color="tab:orange", alpha=0.25, linewidth=0)
        ax.axvline(self.lr, color="tab:orange", linewidth=2, label=f"by trials {self.lr:.3g}")
        start = self.curve.losses[0]
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss, smoothed", ylim=(0, 1.5 * start))
        ax.set_title("The range test is a picture; the trials decide")
        ax.legend()
        return figure

    def save_plot(self, file: str | Path) -> None:
        """Write the picture; the file's ending says in which format.

        Raises:
            DataError: the file cannot be written.
        """
        from matplotlib import pyplot

        path, picture = Path(file), BytesIO()
        figure = self.plot()
        try:
            figure.savefig(picture, format=path.suffix[1:].lower())
        finally:
            pyplot.close(figure)
        write_atomically(path, picture.getvalue())
