"""The answer in words: how good a number is, where the rest went, and what to do next."""

import shlex

from byhand.evaluate.results import Ceiling, Chance, Curve, ErrorParts, Evaluation, Landmarks
from byhand.evaluate.statistics import CHANCE_LEVEL, Difference, Proportion

__all__ = ["advice", "interval", "judged", "ladder", "missing", "overfitting", "p_words", "percent", "verdict"]

_WORTH = 0.01  # a part of the error below one point is not worth the first advice


def percent(value: float, digits: int = 1) -> str:
    """0.5803 as ``58.0 %``."""
    return f"{100 * value + 1e-9:.{digits}f} %"  # 11.35 is 11.4, though a float may be a little less


def interval(one: Proportion) -> str:
    """``58.0 % (57.0 to 59.0 on 10,000)``."""
    return f"{percent(one.value)} ({100 * one.low:.1f} to {100 * one.high:.1f} on {one.n:,})"


def p_words(p_value: float) -> str:
    """``p < 1e-300`` where a float ends, ``p = 2e-05`` or ``p = 0.31`` elsewhere."""
    if p_value < 1e-300:
        return "p < 1e-300"
    return f"p = {p_value:.0e}" if p_value < 1e-3 else f"p = {p_value:.2g}"


def judged(chance: Chance) -> str:
    """Whether it is more than chance."""
    always = f"Always saying {chance.label} gives {percent(chance.value)}"
    if chance.better:
        return f"{always}: yours has learnt ({p_words(chance.p_value)})."
    return f"{always}: yours is not shown to be better than chance ({p_words(chance.p_value)})."


def ladder(landmarks: Landmarks) -> str:
    """What is there without training, and what one linear layer reaches."""
    nearest = landmarks.baselines[-1]
    text = f"{nearest.name.capitalize()}: {percent(nearest.accuracy.value)}."
    if landmarks.ceiling is None:
        return text
    return f"{text} One linear layer on these pixels reaches {_certified(landmarks.ceiling)}."


def missing(accuracy: Proportion, parts: ErrorParts) -> str:
    """Where the missing points of a linear model went."""
    error, behind = 100 * (1 - accuracy.value), 100 * parts.optimization
    few, cannot = f"{100 * parts.estimation:.1f} are too few images", f"{100 * parts.model_class:.1f} are what one "
    rest = f"{few}, {cannot}linear layer cannot say"
    if behind < -0.05:
        ahead = f"{-behind:.1f} more than the optimum has on these images, which is luck"
        return f"Of the {error:.1f} points that are missing, {rest}; it has {ahead}."
    training = "none is training" if behind < 0.05 else f"{behind:.1f} are training that has not converged"
    return f"Of the {error:.1f} points that are missing, {training}, {rest}."


def overfitting(train: Proportion, test: Proportion, difference: Difference) -> str:
    """What the difference between training and test images says."""
    both = f"It is right on {percent(train.value)} of the images that it learnt from"
    bounds = f"({100 * difference.low:.1f} to {100 * difference.high:.1f})"
    if difference.low > 0:
        return f"{both}, {100 * difference.value:.1f} points {bounds} more than on new ones: that much is overfitting."
    if difference.high < 0:
        return f"{both}, {-100 * difference.value:.1f} points fewer than on the test images, which are easier."
    return f"{both}, as on new ones ({percent(test.value)}): no overfitting is to be seen."


def verdict(found: Evaluation) -> str:
    """The whole answer, in one paragraph."""
    ceiling = found.landmarks.ceiling
    sentences = [f"{interval(found.accuracy)}.", judged(found.chance), ladder(found.landmarks)]
    if found.parts is not None:
        sentences.append(missing(found.accuracy, found.parts))
    elif ceiling is not None and not found.linear:
        beyond = 100 * (found.accuracy.value - ceiling.accuracy.value)
        more = f"{beyond:.1f} points more" if beyond >= 0 else f"{-beyond:.1f} points less"
        sentences.append(f"The network has {more} than that.")
    if found.train_accuracy is None or found.overfitting is None:
        sentences.append("These are other data than it learnt from.")
    else:
        sentences.append(overfitting(found.train_accuracy, found.accuracy, found.overfitting))
        seen, learnt = found.train_accuracy.n, int(found.record["data"]["train"])
        if seen < learnt:
            sentences.append(f"Of the {learnt:,} images that it learnt from, {seen:,} were looked at, a random sample.")
    return " ".join(sentences)


def advice(found: Evaluation) -> tuple[str, ...]:
    """What to do next, first things first."""
    settings = found.record["settings"]
    again = f"byhand train {shlex.quote(found.record['data']['source'])}"
    if found.alarms:
        return ("Find out first why the number is too good; until then it means nothing.",)
    if found.chance.p_value >= CHANCE_LEVEL and found.accuracy.low > found.chance.value:
        return (f"It may well have learnt, but {found.accuracy.n:,} test images are too few to show it: take more.",)
    if not found.chance.better:
        return (
            "Something is wrong with the training, not with the model: byhand explain "
            f"{100 * found.accuracy.value:.2f}% --data {shlex.quote(found.landmarks.source)}",
        )
    if found.overfitting is None:
        return (f"Judge it by the data that it learnt from too: byhand evaluate {shlex.quote(found.run)}",)
    ceiling = found.landmarks.ceiling
    below = ceiling is not None and found.accuracy.high < ceiling.accuracy.value  # by more than luck
    if found.parts is not None and found.parts.optimization > _WORTH and below:
        return (
            f"Train until it has converged: {again} --epochs {2 * max(1, settings['epochs'] or 1)}, or with the rate "
            f"that byhand lr-find gives ({100 * found.parts.optimization:.1f} points).",
        )
    if found.linear and found.parts is None:
        return ("How much further one linear layer can go, the ceiling says; it was left out.",)
    if found.linear:
        return (
            f"One linear layer can do no better, however long it trains. A hidden layer can: {again} --hidden 30",
            *_more_images(found.curve),
        )
    if below:
        return ("A network below one linear layer is not trained yet: another rate (byhand lr-find), more epochs.",)
    if settings["model"] == "resnet18":
        return (_of_resnet(found, f"{again} --model resnet18"), *_more_images(found.curve))
    hidden = ",".join(str(2 * units) for units in settings["hidden"])
    if found.overfitting.low > _WORTH:
        return (
            "It knows its own images better than new ones: try --dropout 0.2, or more images.",
            *_more_images(found.curve),
        )
    return (
        f"It is as good on new images as on its own, so a larger one may help: {again} --hidden {hidden}",
        *_more_images(found.curve),
    )


def _of_resnet(found: Evaluation, again: str) -> str:
    """What to do next with a ResNet-18 that is above one linear layer."""
    if found.overfitting is not None and found.overfitting.low > _WORTH:
        return "It knows its own images better than new ones: try --weight-decay 5e-4, or more images."
    epochs = 2 * max(1, found.record["settings"]["epochs"] or 1)
    return f"It is about as good on new images as on its own, so a longer run may help: {again} --epochs {epochs}"


def _certified(ceiling: Ceiling) -> str:
    one = ceiling.accuracy
    gap = "1e-6" if ceiling.gap <= 1e-6 else f"{ceiling.gap:.0e}"
    bounds = f"{100 * one.low:.1f} to {100 * one.high:.1f}"
    return f"{percent(one.value)} ({bounds}; loss within {gap} nats of the best possible)"


def _more_images(curve: Curve | None) -> tuple[str, ...]:
    """What twice as many should bring; nothing where the fit sees no more to come than was measured already."""
    if curve is None or 1 - curve.twice.value <= curve.points[-1].accuracy.value:
        return ()
    low, value, high = (100 * (1 - error) for error in (curve.twice.high, curve.twice.value, curve.twice.low))
    return (f"Twice as many images should bring it to {value:.1f} % ({low:.1f} to {high:.1f}).",)
