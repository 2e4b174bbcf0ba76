"""What a bare number says of the program that printed it: hints from an accuracy, a loss, or both.

Some numbers have few origins. 9.82 % of MNIST's test images are fours; 2.3026 is ln 10; a model whose probabilities
went through softmax twice has no loss below log(1 + 9/e) = 1.461. The rest gets its likely causes, as measured.
"""

import math
from typing import Final, NamedTuple, final

from byhand.evaluate.answer import percent
from byhand.evaluate.causes import likely
from byhand.evaluate.results import Landmarks
from byhand.evaluate.statistics import Proportion, wilson
from byhand.text import one_line

__all__ = ["hints"]

_FEW: Final = 0.3  # an interval wider than this says next to nothing
_CAUSES: Final = 3
_CLOSE: Final = 0.005  # nats: people give a loss with two or three decimals
_EPSILONS: Final = (6, 7, 8, 9, 10, 12, 15, 16)  # what is put inside a log: 10 to the minus of these
_MNIST_LIKE: Final = (0.80, 0.84)  # the nearest mean image's accuracy on data where the measured causes hold


@final
class _Number(NamedTuple):
    """An accuracy as it was given."""

    value: float
    half: float  # what rounding may have taken from it or added to it
    text: str
    interval: Proportion


def hints(
    value: float | None,
    digits: int | None,
    n: int | None,
    landmarks: Landmarks,
    loss: float | None = None,
    linear: bool = True,
) -> list[str]:
    """Sentences on what may be behind an accuracy and a loss, the most telling first; none where nothing is odd.

    Args:
        value: the accuracy, between 0 and 1; None if there is only a loss.
        digits: decimals of ``value`` that were given, 2 for 58 % and for 0.6 too; None for an exact count over ``n``.
        n: images that it was measured on; those of the test part if None.
        landmarks: of the data.
        loss: mean −log p in nats.
        linear: whether one linear layer gave it.
    """
    images = landmarks.n if n is None or n < 1 else n
    given = None if value is None or not 0 <= value <= 1 else _number(value, digits, images)
    about_loss = [] if loss is None else _of_loss(loss, given, landmarks, linear)
    if given is None:
        return about_loss
    if given.interval.high - given.interval.low > _FEW:
        low, high = f"{100 * given.interval.low:.0f}", f"{100 * given.interval.high:.0f}"
        counted = f"{images:,} image{'' if images == 1 else 's'}"
        return [f"On {counted} it could as well be {low} as {high} %: judge it on more.", *about_loss]
    on_test = images == landmarks.n
    constant = _of_constant(given, landmarks, on_test)
    causes = [] if constant else _of_causes(given, landmarks, linear)
    about_value = [*_of_place(given, landmarks, linear), *causes] or _of_training(given, landmarks, linear)
    return [*constant, *(_of_all_but_one(given, landmarks) if on_test else []), *about_loss, *about_value]


def _number(value: float, digits: int | None, n: int) -> _Number:
    half = 0.5 / n if digits is None else 0.5 * 10.0 ** -max(2, digits)
    shown = 2 if digits is None else min(max(0, digits - 2), 6)
    return _Number(value, half, f"{100 * value:.{shown}f} %", wilson(round(value * n), n))


# The accuracy.


def _of_constant(given: _Number, landmarks: Landmarks, on_test: bool) -> list[str]:
    """The model that says one class to everything: its accuracy is that class's share."""
    names = [one_line(name) for name in landmarks.classes]
    test = _fitting(given.value, given.half, landmarks.counts) if on_test else []
    if test:
        return _always(test, landmarks.counts, names, "test images", "to everything")
    train = _fitting(given.value, given.half, landmarks.train_counts)
    return _always(train, landmarks.train_counts, names, "images to learn from", "to everything, judged on such images")


def _of_all_but_one(given: _Number, landmarks: Landmarks) -> list[str]:
    """The model that says no to everything, asked for one class: only where four decimals tell it from any other."""
    rest = _fitting(1 - given.value, given.half, landmarks.counts)
    if len(rest) != 1 or len(landmarks.classes) == 2 or given.half > 1e-4:
        return []
    c, n = one_line(landmarks.classes[rest[0]]), landmarks.n
    return [
        f"{n - landmarks.counts[rest[0]]:,} of the {n:,} test images are not of class {c}: if the question is {c} or "
        "not, the model says no to everything."
    ]


def _always(fitting: list[int], counts: tuple[int, ...], names: list[str], images: str, to: str) -> list[str]:
    """The sentence on these classes, if the number tells which it is: one, or few of many."""
    if not fitting or (len(fitting) > 1 and 3 * len(fitting) > len(names)):
        return []
    first, *others = [f"{counts[i]:,}" for i in fitting]
    shares = f"{first} of the {sum(counts):,} {images} are of class {names[fitting[0]]}"
    shares += "".join(f" and {count} of class {names[i]}" for count, i in zip(others, fitting[1:], strict=True))
    return [f"{shares}: the model says {' or '.join(names[i] for i in fitting)} {to}."]


def _fitting(value: float, half: float, counts: tuple[int, ...]) -> list[int]:
    """The classes whose share is ``value``, as far as it was given."""
    total = sum(counts)
    return [i for i, count in enumerate(counts) if abs(count / total - value) <= half + 1e-9]


def _of_place(given: _Number, landmarks: Landmarks, linear: bool) -> list[str]:
    """Where on the ladder the number stands."""
    value, c, ceiling = given.value, len(landmarks.classes), landmarks.ceiling
    if value + given.half >= 1:
        return [
            f"{given.text} is no ordinary result: was it measured on the images that the model learnt from, or does "
            "the label stand among the inputs?"
        ]
    guess, interval = 1 / c, given.interval
    if interval.low <= guess <= interval.high or abs(value - guess) <= max(given.half, 0.2 * guess * (1 - guess)):
        return [
            f"About 1 in {c}: the model guesses, or says one class to everything. The comparison of predictions (B,) "
            "with labels (B, 1) on mixed rows looks the same, however good the model is."
        ]
    if value < guess:
        return [
            "Worse than guessing: something turns the answer round. Look for argmin where argmax belongs, labels "
            "shifted by one, or a comparison that is never true."
        ]
    if ceiling is not None and value - given.half > ceiling.accuracy.high:
        if not linear or interval.low <= ceiling.accuracy.value:
            return []
        return [
            f"Too good for one linear layer on these pixels, whose best has {percent(ceiling.accuracy.value)}: has it "
            "seen the test images, or other features than the pixels?"
        ]
    if ceiling is not None and value + given.half >= ceiling.accuracy.low:
        if linear:
            return ["This is as good as one linear layer gets: more epochs will not help, a hidden layer will."]
        return [
            "This is what one linear layer reaches: the hidden layers do nothing yet. Look at the rate and the start."
        ]
    return []


def _of_causes(given: _Number, landmarks: Landmarks, linear: bool) -> list[str]:
    """The likely causes, where they were measured: one linear layer on MNIST or its like, short of the ceiling."""
    nearest = landmarks.baselines[-1].accuracy.value if landmarks.baselines else 0.0
    alike = len(landmarks.classes) == 10 and _MNIST_LIKE[0] <= nearest <= _MNIST_LIKE[1]
    top = 1.0 if landmarks.ceiling is None else landmarks.ceiling.accuracy.low
    if not linear or not alike or given.value + given.half >= top:
        return []
    causes = likely(given.value)
    within = [cause for cause in causes if not cause.away(given.value)] or causes[:1]  # the nearest, if none holds it
    return [
        f"{cause.text} Measured with one linear layer on MNIST: {_range(cause.low, cause.high)}."
        for cause in within[:_CAUSES]
    ]


def _of_training(given: _Number, landmarks: Landmarks, linear: bool) -> list[str]:
    """What to say where nothing better is known: less than what needs no training, or less than one layer."""
    nearest, ceiling = landmarks.baselines[-1] if landmarks.baselines else None, landmarks.ceiling
    if nearest is not None and given.value + given.half < nearest.accuracy.value:
        return [
            f"The {nearest.name} has {percent(nearest.accuracy.value)} without any training: look for a fault in the "
            "program, not for a better model."
        ]
    if ceiling is not None and not linear and given.value + given.half < ceiling.accuracy.low:
        return ["A network below the best linear layer is not trained yet: another rate, another start, more epochs."]
    return []


# The loss.


def _of_loss(loss: float, given: _Number | None, landmarks: Landmarks, linear: bool) -> list[str]:
    """What a mean of −log p says, alone and beside the accuracy."""
    c, said = len(landmarks.classes), f"{loss:.4g}"
    uniform, floor = math.log(c), math.log(1 + (c - 1) / math.e)
    accuracy = None if given is None else given.value
    if not math.isfinite(loss):
        return ["The loss is not finite: the log of 0, or a rate at which the weights run away."]
    if loss < 0:
        return [
            "A mean of −log p is never negative: its sign is wrong, or the log is missing, as when nll_loss is given "
            "probabilities."
        ]
    if loss < 5e-5:
        return ["A loss of 0 is certainty on every image: does the label stand among the inputs, or are there none?"]
    found: list[str] = []
    learnt = given is not None and given.interval.low - given.half > (1.5 - 0.5 / c) / c  # 14.5 % of 10, 62.5 % of 2
    if abs(loss - uniform) <= _CLOSE:
        found.append(f"{said} is ln {c}: every class gets the same probability, so nothing has been learnt.")
    if loss > uniform - _CLOSE and learnt:
        found.append(
            "The accuracy says that the model has learnt, the loss that it has not: they are not of the same weights "
            "and rows, the loss is a sum, or a few images are very wrong."
        )
    if c > 2 and abs(loss - floor) <= _CLOSE:
        found.append(
            f"{said} is log(1 + {c - 1}/e), below which no loss gets when cross_entropy is given probabilities: hand "
            "it the logits."
        )
    elif c >= 10 and accuracy is not None and accuracy > 0.5 and abs(loss - (floor + 1 - accuracy)) <= 0.1:
        found.append(
            f"A loss of {said} with this accuracy fits cross_entropy of probabilities, which cannot get below "
            f"log(1 + {c - 1}/e) = {floor:.3f}: hand it the logits."
        )
    found += [
        f"{said} is −log 1e-{k}: an epsilon of 1e-{k} inside the log caps the loss there, and ends the gradient."
        for k in _EPSILONS
        if abs(loss - k * math.log(10)) <= 2 * _CLOSE and loss > uniform + _CLOSE
    ]
    if loss > uniform + _CLOSE:
        found.append(
            f"A loss above ln {c} = {uniform:.4f}: the model is surer of its wrong answers than of its right ones. "
            "Large initial weights, unscaled pixels or too high a rate do that."
        )
    if given is not None and not learnt and loss < 0.8 * uniform:
        found.append(
            "The loss says that the model has learnt, the accuracy that it has not: one of them is measured on other "
            "rows, labels or predictions than the other."
        )
    if linear and landmarks.ceiling is not None and loss < 0.95 * landmarks.ceiling.test_loss:
        found.append(_below_optimum(loss, landmarks.ceiling.loss, landmarks.ceiling.test_loss))
    return found


def _below_optimum(loss: float, train: float, test: float) -> str:
    best = f"the best linear layer's {test:.4f} on the test images"
    if loss < 0.8 * train:
        return (
            f"{loss:.4g} is far below {best} and {train:.4f} on those to learn from: a mean taken twice, or over too "
            "many rows."
        )
    return f"{loss:.4g} is below {best}: as a training loss it is possible, as a test loss the model has seen them."


def _range(low: float, high: float) -> str:
    return percent(low) if low == high else f"{100 * low:.1f} to {percent(high)}"
