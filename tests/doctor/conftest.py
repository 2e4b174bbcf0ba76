"""A builder of traces: what a run did, in a few calls, as the observer would have written it down."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.job import Job
from byhand.doctor.place import Place
from byhand.doctor.run import mailbox
from byhand.doctor.run.workshop import Workshop
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.trace import (
    Backward,
    Comparison,
    End,
    Forward,
    Loader,
    LossCall,
    Prediction,
    Printed,
    Trace,
    Training,
)
from byhand.doctor.watch.numbers import numbers_in

NONE = np.zeros(0, dtype=np.int64)
QUICK = ("test_identity.py", "test_observe.py")  # of those that run real programs


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Tests that run a real program are long; in the quick suite the cases do so, and those that nothing changes."""
    here = Path(__file__).parent
    for item in items:
        real = "watched" in getattr(item, "fixturenames", ()) and item.path.is_relative_to(here)
        if real and item.path.name not in QUICK:
            item.add_marker(pytest.mark.full)


def place(line, source="", text=""):
    """A whole line of main.py, or a text on it."""
    row = source.splitlines()[line - 1] if source else ""
    column = row.index(text) if text else len(row) - len(row.lstrip())
    return Place("main.py", line, column, line, column + len(text) if text else max(len(row), column + 1))


def find(source, text):
    """The place of a text in a source."""
    before = source[: source.index(text)]
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2])
    return Place("main.py", line, column, line, column + len(text))


class Run:
    """A run that is being put together. Rows are named by numbers, which are their fingerprints."""

    def __init__(self, source=""):
        self.source = source
        self.clock = 0
        self.forwards, self.predictions, self.comparisons, self.loss_calls = [], [], [], []
        self.backwards, self.printed, self.loaders = [], [], []

    def at(self, text):
        return find(self.source, text) if text and text in self.source else None

    def loader(self, name, rows=None, batch_size=None, at=None):
        self.loaders.append(Loader(name, self.at(at), rows, batch_size, shuffles=False, drop_last=False))
        return len(self.loaders) - 1

    def forward(self, kind, rows, labels, loader, at, training=0):
        where = [self.at(text) for text in (at if isinstance(at, tuple) else (at,))]
        index = len(self.forwards)
        known = NONE if labels is None else np.asarray(labels)
        self.forwards.append(
            Forward(
                index, where[0], self.clock, kind, len(rows), np.asarray(rows), known, None, kind == "train", (), (),
                loader, training, tuple(one for one in where if one),
            )
        )  # fmt: skip
        return index

    def train(self, rows, labels=None, batch=64, losses=None, call=True, loader=None, training=0):
        """One epoch; ``losses`` (one a batch) are means over their rows."""
        for number, start in enumerate(range(0, len(rows), batch)):
            part = slice(start, start + batch)
            index = self.forward("train", rows[part], None if labels is None else labels[part], loader, None, training)
            loss = losses[number] if losses is not None else 1.0
            if call and losses is not None:
                self.loss_calls.append(LossCall(index, None, "cross_entropy", loss, "mean", (batch, 10), (batch,)))
            self.backwards.append(Backward(index, None, self.clock, loss, stale=False, parameters=()))
            self.clock += 1

    def evaluate(
        self, rows, labels, scores, batch=None, name="argmax", axis=1, compare="rows", reduction=None, columns=False,
        loader=None, at=None, at_prediction=None, at_comparison=None, known=True, training=0, show=None,
    ):  # fmt: skip
        """One pass in batches.

        ``compare``: "rows" (B,) with (B,), "columns" (B, 1) with (B, 1), "broadcast" (B,) with (B, 1), "last" only the
        last batch, None not at all. ``columns``: the program has its scores as (C, B). ``reduction``: a loss call.
        ``show``: a line printed after each batch, made of the batch's accuracy.
        """
        rows, labels = np.asarray(rows), np.asarray(labels)
        scores = np.asarray(scores, dtype=np.float32)
        batch = batch or len(rows)
        for start in range(0, len(rows), batch):
            part = slice(start, start + batch)
            y, own = labels[part], scores[part].T if columns else scores[part]
            n = len(y)
            index = self.forward("eval", rows[part], y if known else None, loader, at, training)
            if reduction:
                z = scores[part].astype(np.float64)
                losses = np.log(np.exp(z).sum(axis=1)) - z[np.arange(n), y]
                value = losses.mean() if reduction == "mean" else losses.sum()
                call = LossCall(index, None, "cross_entropy", float(value), reduction, z.shape, y.shape)
                self.loss_calls.append(call)
            chosen = getattr(own, f"arg{name.removeprefix('arg')}")(axis)
            if compare is None or (compare == "last" and start + batch < len(rows)):
                continue
            self.predictions.append(Prediction(index, self.at(at_prediction), name, axis, own, np.asarray(chosen)))
            shapes = {"columns": ((n, 1), (n, 1)), "broadcast": ((n,), (n, 1))}.get(compare, (chosen.shape, (n,)))
            table = chosen[None] == y[:, None] if compare == "broadcast" else chosen == y
            self.comparisons.append(
                Comparison(
                    index, len(self.predictions) - 1, self.at(at_comparison), "==", *shapes, table.shape,
                    int(table.sum()), table.size, y,
                )
            )  # fmt: skip
            if show:
                self.print(show.format(table.mean()))

    def print(self, text, at="print("):
        last = self.forwards[-1].index if self.forwards else None
        self.printed.append(Printed(self.at(at), text, numbers_in(text), (), self.clock, last))

    def trace(self, **fields):
        used = sorted({f.training for f in self.forwards if f.training is not None})
        trainings = [Training(0, self.clock, None, False, 0.1, (), None, None) for _ in used]
        whole = Trace(
            End("done", 1.0), "\n".join(p.text for p in self.printed), True, (), (),
            *map(tuple, (self.forwards, self.predictions, self.comparisons, self.loss_calls, self.backwards)),
            trainings=tuple(trainings), loaders=tuple(self.loaders), printed=tuple(self.printed),
        )  # fmt: skip
        return replace(whole, **fields)

    def program(self):
        return Program(Path("main.py"), (Unit("main.py", None, self.source, self.source),))

    def evidence(self, **fields):
        trace = self.trace(**fields)
        return Evidence(self.program(), trace, audit(trace))


@pytest.fixture
def make_run() -> Callable[..., Run]:
    """``make_run(source)`` begins a run of a program with this text."""
    return Run


@pytest.fixture
def scored():
    """``scored(n, right)``: labels, and logits of ten classes of which exactly the first ``right`` rows are right."""

    def make(n, right, seed=0, classes=10):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, classes, n)
        scores = rng.normal(size=(n, classes)).astype(np.float32)
        best = np.where(np.arange(n) < right, labels, (labels + 1 + rng.integers(0, classes - 1, n)) % classes)
        scores[np.arange(n), best] = scores.max(axis=1) + 1
        return labels, scores

    return make


@pytest.fixture(scope="session")
def workshop_of_all():
    """A worker that has imported what the tests' programs use."""
    with Workshop(["numpy", "torch", "sklearn.metrics", "sklearn.datasets"]) as workshop:
        yield workshop


@pytest.fixture(scope="session")
def watched(workshop_of_all, tmp_path_factory):
    """``watched(text)``: the trace of a program's run, really run in a folder of its own."""

    def watch(text, *, folder=None, file="main.py", **fields):
        folder = folder or tmp_path_factory.mktemp("program")
        (folder / file).write_text(text, "utf-8")
        fields = {"threads": 1, "hard": 60.0, **fields}
        return workshop_of_all.run(Job(folder / file, folder, **fields))

    return watch


@pytest.fixture(scope="session")
def told(tmp_path_factory):
    """``told(text)``: the trace of a program that is told while it runs, the lines of its mailbox, the last of them
    last, and the traces of the run so far, which are asked for as fast as they come."""

    numbers = itertools.count(1)

    def tell(text, *, looks=True, empty=True, **fields):
        folder = tmp_path_factory.mktemp("program")
        (folder / "main.py").write_text(text, "utf-8")
        lines, traces = [], []
        over = threading.Event()
        place = workshop.place(next(numbers))

        def read():
            asked = False
            while not over.wait(0.01):
                if line := empty and mailbox.take(place):
                    lines.append(line)
                if looks and not asked and place.exists():
                    mailbox.ask(place)
                    asked = True
                if asked and (trace := mailbox.take_trace(place)):
                    traces.append(trace)
                    asked = False

        def end(place):
            over.set()
            thread.join()
            lines.extend(line for name in (mailbox.LINE, mailbox.LAST) if (line := mailbox.take(place, name)))

        thread = threading.Thread(target=read)
        thread.start()
        fields = {"threads": 1, "hard": 60.0, **fields}
        trace = workshop.run(Job(folder / "main.py", folder, live=True, **fields), over=end)
        return trace, lines, traces

    with Workshop(["numpy", "torch"]) as workshop:
        yield tell
