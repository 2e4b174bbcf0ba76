"""A program that draws random numbers and sets no seed."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.course import best, fed
from byhand.doctor.checks.reading.units import units
from byhand.doctor.finding import Finding

__all__ = ["unseeded"]

_SEEDS: Final = MappingProxyType(
    {"torch": "torch.manual_seed(0)", "numpy": "np.random.seed(0)", "random": "random.seed(0)"}
)
_LOADED: Final = ("load_state_dict", "from_pretrained", "pretrained", "np.load", "torch.load")


def unseeded(evidence: Evidence) -> Iterator[Finding]:
    """No seed, and a start, an order or a dropout that is drawn: the numbers of one run are not those of the next."""
    trace = evidence.trace
    index = best(evidence)
    if trace.seeded or not trace.drew or index is None or not (what := _drawn(evidence, index)):
        return
    training = trace.trainings[index]
    trained = [p for p in trace.parameters if p.training == index and p.place is not None]
    accuracy = evidence.audit.accuracy
    told = f": {accuracy.printed:.3f} is one of them" if accuracy and accuracy.printed is not None else ""
    yield Finding(
        "unseeded",
        "note",
        trained[0].place if trained and what.startswith("the weights") else training.place,
        saw=f"{what} drawn at random, and no seed is set",
        so=f"each run gives other numbers{told}",
        instead="; ".join(_SEEDS[name] for name in trace.drew) + " at the top, to see the same numbers again",
    )


def _drawn(evidence: Evidence, index: int) -> str:
    """What is drawn: the first weights, the order of the rows, dropout; empty where that is not known."""
    trace = evidence.trace
    mine = [p for p in trace.parameters if p.training == index and p.used]
    loaded = any(word in unit.code for unit in units(evidence.program, trace) for word in _LOADED)
    if not loaded and any(p.start.std and len(p.shape) > 1 and not p.alike for p in mine):
        return "the weights are"
    learnt = fed(trace, index)
    if any("Dropout" in name for f in learnt for name in f.noisy):
        return "what dropout drops is"
    if any(f.loader is not None and trace.loaders[f.loader].shuffles for f in learnt):
        return "the order of the rows is"
    return ""
