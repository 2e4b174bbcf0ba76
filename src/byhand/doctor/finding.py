"""What the doctor says of a program: findings, each with a place, the evidence, and a fix that can be tried."""

from dataclasses import dataclass
from typing import Literal, final

from byhand.doctor.place import Place

__all__ = ["Edit", "Effect", "Finding", "Level", "Proof"]

Level = Literal["error", "warning", "note"]
Proof = Literal["arithmetic", "experiment"]


@final
@dataclass(frozen=True, slots=True)
class Edit:
    """Text to put in the place of a span of the user's source; an empty span inserts."""

    place: Place
    text: str


@final
@dataclass(frozen=True, slots=True)
class Effect:
    """What a measure is with the fault and without it, everything else put right."""

    measure: str  # "accuracy", "printed accuracy", "loss", ...
    before: float | None
    after: float | None
    low: float | None = None  # interval of the difference, or the range over seeds
    high: float | None = None
    steps: int | None = None  # updates in either arm; None where nothing was trained


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """One fault at one place.

    A check gives it the level that its evidence has without any experiment. ``needs_proof`` says that this evidence is
    no more than a suspicion: unless an experiment shows that the fix helps, the finding is dropped or becomes a note.
    ``fact`` says that what it saw is true all the same: where there was no time to try the fix, it stays, as a note.
    """

    check: str
    level: Level
    place: Place | None  # the line that the fix changes, else where the value was made
    saw: str  # the evidence, in the program's own numbers
    so: str  # what follows from it
    instead: str  # what to write, in the program's own names where possible
    proof: Proof | None = None
    effect: Effect | None = None
    edits: tuple[tuple[Edit, ...], ...] = ()  # fixes to try, the likeliest first; each a set that belongs together
    needs_proof: bool = False
    fact: bool = False
    under: str | None = None  # the check whose consequence it is; a check gives it only where ``causes.SAID`` has it
