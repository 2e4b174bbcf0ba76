"""Traces of trainings, put together by hand: a program's text, what it was fed, its losses, its parameters."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.place import Place, Summary
from byhand.doctor.text import edits
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.trace import (
    Backward,
    End,
    Examples,
    Forward,
    Made,
    Optimizer,
    Parameter,
    Prediction,
    SourceFile,
    Trace,
    Training,
)

NONE = np.zeros(0, dtype=np.int64)


def find(source, text):
    """The place of a text in a source."""
    before = source[: source.index(text)]
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2])
    return Place("main.py", line, column, line, column + len(text))


def summary(values, dtype=None):
    values = np.asarray(values)
    low, high, mean, std = (float(f(values)) for f in (np.min, np.max, np.mean, np.std))
    whole = bool((values == np.rint(values)).all())
    return Summary(values.shape, dtype or values.dtype.name, low, high, mean, std, True, whole)


def prints(rows):
    """Fingerprints: equal for equal rows."""
    return np.array([hash(row.tobytes()) for row in np.asarray(rows)], dtype=np.int64)


def examples(rows, labels):
    rows = np.asarray(rows, dtype=np.float32)
    return Examples(rows, 1.0, 0.0, np.asarray(labels), prints(rows), rows.shape[1:], True)


def pictures(n=600, classes=10, size=20, seed=0):
    """Rows (N, P) in 0..1 of classes that are easy to tell apart, each row once, in mixed order; labels (N,)."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).random((classes, size))
    labels = rng.permutation(np.arange(n) % classes)
    return (0.8 * centres[labels] + 0.2 * rng.random((n, size))).astype(np.float32), labels


def parameter(name="w", shape=(20, 10), start=None, end=None, **fields):
    """One that learns, unless told otherwise."""
    first = np.random.default_rng(1).normal(0, 0.1, shape) if start is None else np.broadcast_to(start, shape)
    last = first + 0.01 if end is None else np.broadcast_to(end, shape)
    learning = Parameter(
        name, None, shape, summary(first), summary(last), changed=not np.array_equal(first, last), reached=True,
        used=True, frozen=False, alike=False, optimizer=None, training=0, samples=(),
    )  # fmt: skip
    return replace(learning, **fields)


class Story:
    """A run that is being put together; ``at`` finds the text of its program."""

    def __init__(self, source="pass\n"):
        self.source, self.clock = source, 0
        self.forwards, self.backwards, self.predictions, self.fields = [], [], [], {}

    def at(self, text):
        return find(self.source, text) if text else None

    def forward(self, kind, x, y, at=None, **fields):
        stack = tuple(self.at(text) for text in ((at,) if isinstance(at, str) else at or ()))
        one = Forward(
            len(self.forwards), stack[0] if stack else None, self.clock, kind, len(x), prints(x), np.asarray(y),
            summary(x), kind == "train", (), (), None, 0, stack,
        )  # fmt: skip
        self.forwards.append(replace(one, **fields))
        return one.index

    def learn(self, x, y, batch=20, epochs=1, orders=None, losses=None, stale=False, step=True, at=None, **fields):
        """Steps; ``orders`` (one an epoch) are permutations of the rows, ``losses`` has a value a step."""
        count = 0
        for epoch in range(epochs):
            order = np.arange(len(x)) if orders is None else orders[epoch]
            for start in range(0, len(x), batch):
                rows = order[start : start + batch]
                index = self.forward("train", x[rows], y[rows], at, **fields)
                loss = 1.0 if losses is None else float(losses[count])
                place = self.at("loss.backward()") if "loss.backward()" in self.source else None
                self.backwards.append(Backward(index, place, self.clock, loss, stale and self.clock > 0, (0, 1, 2, 3)))
                self.clock += step
                count += 1

    def judge(self, x, y, accuracy=0.9, batch=None, at=None, **fields):
        """An evaluation of which that share is right."""
        classes = max(10, int(max(y)) + 1)
        for start in range(0, len(x), batch or len(x)):
            part = slice(start, start + (batch or len(x)))
            index = self.forward("eval", x[part], y[part], at, **fields)
            right = np.arange(len(y[part])) < accuracy * len(y[part])
            best = np.where(right, y[part], (y[part] + 1) % classes)
            scores = np.eye(classes, dtype=np.float32)[best] * 3
            self.predictions.append(Prediction(index, None, "argmax", 1, scores, best.astype(np.int64)))

    def evidence(self, **fields):
        unit = Unit("main.py", None, self.source, self.source)
        program = Program(Path("main.py"), (unit,))
        training = Training(0, self.clock, None, False, 0.1, (), None, None)
        whole = Trace(
            End("done", 1.0), "", True, (), (SourceFile("main.py", None, ()),), tuple(self.forwards),
            tuple(self.predictions), backwards=tuple(self.backwards), trainings=(training,),
            parameters=(parameter(),), libraries=("torch",),
        )  # fmt: skip
        trace = replace(whole, **{**self.fields, **fields})
        return Evidence(program, trace, audit(trace))

    def training(self, at=None, loop=None, **fields):
        base = Training(0, self.clock, self.at(at), False, 0.1, (), self.at(loop), None)
        return replace(base, **fields)

    def optimizer(self, at, rate=0.1, steps=100, parameters=(0,)):
        return Optimizer("SGD", self.at(at), rate, steps, parameters)

    def made(self, name, at, values):
        return Made(name, self.at(at), summary(values), 0)


def patched(evidence, fix):
    """The program's text with a fix."""
    return edits.apply(evidence.program, fix)["main.py"]
