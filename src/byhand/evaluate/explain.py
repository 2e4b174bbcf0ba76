"""The answer for a bare number: how good is 58 %, what may be wrong. No torch is needed once the ceiling is known."""

import math
import re
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, final

from byhand.errors import UsageError
from byhand.evaluate import answer
from byhand.evaluate.hints import hints
from byhand.evaluate.results import Chance, Landmarks
from byhand.evaluate.statistics import CHANCE_LEVEL, Proportion, better_than_chance, wilson
from byhand.settings import MODELS

__all__ = ["Explanation", "Given", "Question", "ask", "explain", "read_number"]

_MOST: Final = 10**12  # images: more are a slip of the keyboard

_PERCENT = re.compile(r"([+-]?\d+(?:[.,]\d*)?|[.,]\d+) ?%")
_PLAIN = re.compile(r"[+-]?\d+(?:[.,]\d*)?|[.,]\d+")
_COUNTS = re.compile(r"(\d{1,20}) ?/ ?(\d{1,20})")
_SHOWN: Final = 40  # letters of what was given, in a message


class Given(NamedTuple):
    """An accuracy as somebody wrote it down."""

    value: float  # between 0 and 1
    digits: int | None  # decimals of the value that were given; None if it was given exactly, as a count
    n: int | None  # images, if they were given


class Question(NamedTuple):
    """What is known of a result; at least an accuracy or a loss."""

    accuracy: Given | None
    n: int | None  # images that it was measured on; those of the test part if None
    loss: float | None  # the mean of −log p, in nats
    linear: bool  # whether one linear layer gave it


@final
@dataclass(frozen=True, slots=True)
class Explanation:
    """What a number says, judged by what is known of its data."""

    accuracy: Proportion | None  # None where only a loss was given
    chance: Chance | None
    landmarks: Landmarks
    sentences: tuple[str, ...]  # how good, whether more than guessing, what can be reached
    hints: tuple[str, ...]  # what may be wrong, the likeliest first

    @property
    def verdict(self) -> str:
        """The sentences as one paragraph."""
        return " ".join(self.sentences)


def read_number(text: str) -> Given:
    """``58%``, ``58``, ``0.58``, ``0,58`` or ``5800/10000`` as an accuracy.

    A number of at most 1 without a percent sign is a fraction, a larger one a percentage.

    Raises:
        UsageError: it is none of these, or outside 0 to 100 %.
    """
    wanted = "give an accuracy like 58%, 0.58 or 5800/10000"
    words, shown = text.strip(), repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
    if counts := _COUNTS.fullmatch(words):
        hits, n = int(counts[1]), int(counts[2])
        if not 0 < n <= _MOST or hits > n:
            raise UsageError(f"{shown} is no share of images; {wanted}")
        return Given(hits / n, None, n)
    number = _PERCENT.fullmatch(words)
    plain = _PLAIN.fullmatch(words)
    if number is None and plain is None:
        raise UsageError(f"{shown} is no accuracy; {wanted}")
    figure = (number[1] if number else words).replace(",", ".")
    digits = len(figure.partition(".")[2])
    value = float(figure)
    if number or value > 1:
        value, digits = value / 100, digits + 2
    if not 0 <= value <= 1:
        raise UsageError(f"{shown} is outside 0 to 100 %; {wanted}")
    return Given(value, digits, None)


def ask(number: str | None, n: int | None = None, loss: float | None = None, model: str = "linear") -> Question:
    """The question that these words ask, before any data are looked at.

    Raises:
        UsageError: neither an accuracy nor a loss, no accuracy, or a number of images or a model that cannot be.
    """
    if number is None and loss is None:
        raise UsageError("give an accuracy, like byhand explain 58%, or a loss with --loss")
    if model not in MODELS:
        raise UsageError(f"--model {model}: choose {' or '.join(MODELS)}")
    if n is not None and not 0 < n <= _MOST:
        raise UsageError(f"--n {n}: give the number of images that it was measured on")
    given = None if number is None else read_number(number)
    if given and given.n and n not in (None, given.n):
        raise UsageError(f"--n {n} and a count of {given.n} images: leave one of them out")
    return Question(given, given.n if given and given.n else n, loss, model == "linear")


def explain(question: Question, landmarks: Landmarks) -> Explanation:
    """What an accuracy, a loss or both say of a model, on data with these landmarks."""
    given, n, loss, linear = question
    if given is None:
        said = hints(None, None, None, landmarks, loss, linear)
        return Explanation(None, None, landmarks, (_about_loss(loss, landmarks),), tuple(said))
    count = n or landmarks.n
    hits = round(given.value * count)
    # The value is shown as it was given; the interval and the test are those of the nearest count.
    accuracy = replace(wilson(hits, count), value=given.value)
    label, share = landmarks.commonest
    p_value = better_than_chance(hits, count, share)
    chance = Chance(share, label, p_value, p_value < CHANCE_LEVEL)
    said = hints(given.value, given.digits, count, landmarks, loss, linear)
    return Explanation(accuracy, chance, landmarks, _sentences(accuracy, chance, landmarks, linear), tuple(said))


def _sentences(accuracy: Proportion, chance: Chance, landmarks: Landmarks, linear: bool) -> tuple[str, ...]:
    reach = [answer.ladder(landmarks)]
    if landmarks.ceiling is not None:
        best = landmarks.ceiling.accuracy.value
        points, error = 100 * abs(best - accuracy.value), 100 * (1 - accuracy.value)
        if accuracy.high < best:
            reach.append(f"So {points:.1f} of the {error:.1f} points that are missing are within reach of one layer.")
        elif accuracy.low <= best:
            reach.append("That is where yours stands.")
        elif linear:
            reach.append(f"Yours has {points:.1f} points more, which one linear layer is not known to reach.")
        else:
            reach.append(f"The network has {points:.1f} points more than that.")
    return f"{answer.interval(accuracy)}.", answer.judged(chance), " ".join(reach)


def _about_loss(loss: float | None, landmarks: Landmarks) -> str:
    c = len(landmarks.classes)
    text = f"A loss of {loss:.4g} nats. Equal probabilities for {c} classes give ln {c} = {math.log(c):.4f}."
    if landmarks.ceiling is None:
        return text
    return (
        f"{text} The best linear layer has {landmarks.ceiling.loss:.4f} on the images that it learnt from and "
        f"{landmarks.ceiling.test_loss:.4f} on the test images."
    )
