"""Whether a training's gradients were derived by hand, and at which of its updates they are worth a closer look."""

from typing import Final

from byhand.doctor.trace import Trace

__all__ = ["clocks_to_probe", "setting_up"]

_FIRST: Final = 3  # updates before the first look: a start at zero has moved, and biases were seen more than once
_SECOND: Final = 9
_FEWEST: Final = 8  # updates of a training that is looked at


def clocks_to_probe(trace: Trace) -> tuple[int, ...]:
    """The updates before which finite differences are taken, of the longest training that no backward pass belongs to.

    Empty where every training has autograd's gradients, or is short.
    """
    found: tuple[int, int] | None = None
    for training in trace.trainings:
        length = training.steps
        autograd = any(training.first <= one.clock <= training.last for one in trace.backwards)
        if training.hand and not autograd and length >= _FEWEST and (found is None or length > found[1]):
            found = training.first, length
    if found is None or "numpy" not in trace.libraries:
        return ()
    return found[0] + _FIRST, found[0] + min(_SECOND, found[1] - 2)


def setting_up(trace: Trace) -> float:
    """Seconds of a run that are not between its first update and its last."""
    return trace.end.seconds - (trace.end.training or 0.0)
