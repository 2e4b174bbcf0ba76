"""Where to start: the faults of the two programs that byhand was made from, each to be replayed, and put right.

The figures in the texts were measured on MNIST, on the validation part of byhand's own split; a test holds them.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final, final

from byhand.errors import UsageError
from byhand.play.controls import Controls, shown

__all__ = ["PRESETS", "Preset", "find_preset"]


@final
@dataclass(frozen=True, slots=True)
class Preset:
    """A choice of all controls (but the speed), with a name and what to look at."""

    id: str
    title: str
    text: str
    controls: Controls

    def fields(self) -> dict[str, Any]:
        """As a page gets it."""
        return {"id": self.id, "title": self.title, "text": self.text, "controls": asdict(self.controls)}


PRESETS: Final = (
    Preset(
        "first-seed",
        "58 %: is that good?",
        "Large random weights, a rate far too low, and an epsilon in the logarithm that silences the worst rows: after "
        "ten epochs of MNIST about 59 % are right (our reconstruction of a program whose author read 58 %).",
        Controls(lr=0.01, init="normal:1", epsilon=1e-8, stop_after=10),
    ),
    Preset(
        "first-seed-fixed",
        "58 %, put right",
        "The same layer from zero, with the exact loss and the rate that the finder gives: about 91 % after ten epochs "
        "of MNIST.",
        Controls(stop_after=10),
    ),
    Preset(
        "second-seed",
        "63.7 %, and three silent bugs",
        "Rows class after class, large random weights, and a metric that compares every prediction with every label: "
        "after twenty epochs of MNIST it prints about 63 %, and about 69 % are right.",
        Controls(lr=0.1, init="normal:1", shuffle=False, metric="broadcast", stop_after=20),
    ),
    Preset(
        "second-seed-fixed",
        "63.7 %, put right",
        "The same layer at the same rate, but shuffled, from zero, and each row compared with its own label: about "
        "91 % after twenty epochs of MNIST.",
        Controls(lr=0.1, stop_after=20),
    ),
    Preset(
        "second-seed-network",
        "Thirty hidden units, class after class",
        "A network that meets one class after the other forgets the others: about 75 % after twenty epochs of MNIST, "
        "far less than one linear layer that is trained well.",
        Controls(hidden=(30,), init="kaiming", lr=0.001, shuffle=False, stop_after=20),
    ),
    Preset(
        "second-seed-network-fixed",
        "The same network, shuffled",
        "The rows in a new order at each pass, and a rate a hundred times as high: about 95 % after twenty epochs of "
        "MNIST.",
        Controls(hidden=(30,), init="kaiming", lr=0.1, stop_after=20),
    ),
)


def find_preset(name: object) -> Preset:
    """The preset of that id.

    Raises:
        UsageError: there is none.
    """
    for preset in PRESETS:
        if preset.id == name:
            return preset
    raise UsageError(f"preset {shown(name)}: there are {', '.join(preset.id for preset in PRESETS)}")
