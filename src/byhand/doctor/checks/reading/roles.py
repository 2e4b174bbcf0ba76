"""What a program calls the rows that it evaluates: held out, or those of the training."""

import ast
import re
from typing import Final, Literal

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass

__all__ = ["Role", "agreed", "around", "called", "role", "says_held_out", "says_training", "words"]

Role = Literal["held-out", "training"]

_HELD_OUT: Final = re.compile(
    r"test(s|ing|set|loader|dl|data|x|y)?|val(id|idate|idation)?(set|loader|dl|data|x|y)?|dev|holdout|held"
)
_TRAINING: Final = re.compile(r"train(ing)?(set|loader|dl|data|x|y)?|tr|resubstitution|insample")


def says_held_out(text: str) -> bool:
    """Whether one of the words is test, valid, dev, ... as in ``X_test`` and ``validLoader``."""
    return any(_HELD_OUT.fullmatch(word) for word in words(text))


def says_training(text: str) -> bool:
    """Whether one of the words is train, training, trainset, ..."""
    return any(_TRAINING.fullmatch(word) for word in words(text))


def called(*texts: str) -> Role | None:
    """What words or names call rows: held out, or of the training; None where neither, or both."""
    held, training = any(map(says_held_out, texts)), any(map(says_training, texts))
    return None if held == training else "held-out" if held else "training"


def role(evidence: Evidence, one: Pass) -> Role | None:
    """What the rows of a pass are called: "held-out", "training", or None where nothing near says just one of the two.

    The loader's name counts first, then the lines and functions around the model's call from the inside out, then what
    was printed.
    """
    printed = [p.text for p in evidence.trace.printed if p.forward == one.last and p.clock == one.clock][:1]
    return next((said for text in [*around(evidence, one), *printed] if (said := called(text))), None)


def agreed(evidence: Evidence, one: Pass) -> Role | None:
    """What everything that is written around the model's call agrees to call the rows; None where it does not agree."""
    return called(*around(evidence, one))


def around(evidence: Evidence, one: Pass) -> list[str]:
    """The loader's name, then the lines, loops and functions around the model's call, from the inside out."""
    program, trace, forward = evidence.program, evidence.trace, one.forward
    texts = [trace.loaders[forward.loader].name or ""] if forward.loader is not None else []
    for place in forward.stack or (forward.place,):
        if place is not None:
            functions, loops = program.nodes(place, ast.FunctionDef), program.nodes(place, ast.For)
            loop = [ast.unparse(loops[0].iter)] if loops else []
            texts += [program.text(place), *loop, functions[0].name if functions else ""]
    return texts


def words(text: str) -> list[str]:
    """The words of a text in small letters; names come apart, ``testLoader`` and ``test_dl`` alike."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", text)]
