"""Parameters and losses of a probe, as a reader knows them."""

from collections.abc import Sequence

from byhand.doctor.checks.paper.probes import Reference
from byhand.doctor.slopes import Probe, Slopes

__all__ = ["calls_it", "directions", "listed", "loss_of", "names"]


def calls_it(parameter: Slopes) -> str:
    """A parameter by its name and its shape."""
    return f"{parameter.name or 'an array'} ({' × '.join(map(str, parameter.shape))})"


def loss_of(probe: Probe, loss: Reference) -> str:
    """The loss that a training descends, as a reader knows it."""
    scalar = probe.scalars[loss.index]
    if scalar.assumed:
        return f"the {scalar.assumed} (assumed: no loss that fits is computed with the update)"
    return f"your own loss ({f'{scalar.name}, ' if scalar.name else ''}line {scalar.place.line})"


def directions(parameter: Slopes) -> str:
    """What a parameter was moved along."""
    count = parameter.slopes.shape[1]
    return f"each of its {count} elements" if parameter.units else f"{count} random directions"


def listed(words: Sequence[str]) -> str:
    """One, two and three."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def names(probe: Probe, those: Sequence[int]) -> str:
    """Some of its parameters, by their positions."""
    return listed([calls_it(probe.parameters[i]) for i in those])
