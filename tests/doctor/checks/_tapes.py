"""Tapes for the checks' tests: recorded from torch while a real program runs, or put together by hand for NumPy."""

import io
import itertools
import runpy
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, cast

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from byhand.doctor.audit.audit import Audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.place import Place, Summary
from byhand.doctor.tape import Op, Tape, Value
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.trace import Backward, End, Forward, Made, SourceFile, Trace, Training

FINE = End("done", 1.0)
VIEWS = {
    "view",
    "reshape",
    "squeeze",
    "unsqueeze",
    "flatten",
    "t",
    "T",
    "mT",
    "transpose",
    "permute",
    "contiguous",
    "to",
    "float",
    "double",
    "cpu",
    "detach",
    "data",
    "clone",
    "expand",
    "ravel",
    "numpy",
    "long",
    "int",
}
NAMES = {"truediv": "div", "rtruediv": "rdiv", "radd": "add", "rmul": "mul", "multiply": "mul"}
PRODUCTS = {"matmul", "linear", "conv2d", "mm"}
SILENT = {
    "shape",
    "dtype",
    "device",
    "is_leaf",
    "requires_grad",
    "ndim",
    "grad",
    "size",
    "dim",
    "numel",
    "requires_grad_",
}


def summary(value: Any) -> Summary:
    array = np.asarray(value.detach()) if isinstance(value, torch.Tensor) else np.asarray(value)
    good = array[np.isfinite(array)].astype(np.float64)
    four = (good.min(), good.max(), good.mean(), good.std()) if good.size else (None, None, None, None)
    whole = bool(array.dtype.kind in "iub" or (good.size and (good == np.rint(good)).all()))
    return Summary(
        array.shape, array.dtype.name, *(None if x is None else float(x) for x in four), good.size == array.size, whole
    )


def program_of(path: Path) -> Program:
    source = path.read_text("utf-8")
    return Program(path, (Unit(path.name, None, source, source),))


def evidence_of(program: Program, trace: Trace) -> Evidence:
    return Evidence(program, replace(trace, files=(SourceFile(program.path.name, None, ()),)), cast("Audit", None))


@dataclass
class Builder:
    """A tape by hand: each operation is computed by NumPy and written down."""

    labels: np.ndarray
    n: int
    kind: str = "train"
    clock: int = 0
    values: list[Value] = field(default_factory=list)
    arrays: list[np.ndarray] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    loss: int | None = None
    caller: int = 0  # the outermost line of the program that led to the forward

    def value(self, array: Any, name: str | None = None, *, parameter: int | None = None, rows: bool = False) -> int:
        array = np.asarray(array)
        labels = array.size == self.n > 1 and bool(np.array_equal(array.ravel(), self.labels))
        self.values.append(Value(summary(array), array.copy(), name, parameter, labels, rows))
        self.arrays.append(array)
        return len(self.values) - 1

    def op(
        self, name: str, inputs: list[int], output: Any, place: Place | None = None, *constants: float, **options: Any
    ) -> int:
        out = self.value(output)
        self.ops.append(Op(name, place, tuple(inputs), constants, options, out))
        return out

    def tape(self, forward: int) -> Tape:
        return Tape(forward, self.clock, self.kind, tuple(self.values), tuple(self.ops), self.loss)


def trace_of(*tapes: Builder, **fields: Any) -> Trace:
    forwards = tuple(
        Forward(
            i,
            None,
            t.clock,
            t.kind,
            t.n,
            np.arange(t.n),
            np.asarray(t.labels),
            None,
            True,
            (),
            (),
            None,
            0 if t.kind == "train" else None,
        )
        for i, t in enumerate(tapes)
    )
    return Trace(
        FINE, "", True, (), (), forwards=forwards, tapes=tuple(t.tape(i) for i, t in enumerate(tapes)), **fields
    )


class Recorder(TorchFunctionMode):
    """Writes the tapes of a program that uses torch: a forward begins with a product of what no product has made."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.lines = path, path.read_text("utf-8").splitlines()
        self.tapes: list[Builder] = []
        self.ids: dict[int, int] = {}
        self.alive: list[Any] = []
        self.derived: set[int] = set()
        self.backwards: list[Backward] = []
        self.count = 0
        self.rows: Any = None
        self.open = False  # between a forward and its backward pass

    def place(self) -> tuple[Place | None, str | None]:
        frame: FrameType | None = sys._getframe(1)
        module = None
        while frame is not None and frame.f_code.co_filename != str(self.path):
            if module is None and frame.f_code.co_name == "forward" and "self" in frame.f_locals:
                module = type(frame.f_locals["self"]).__name__
            frame = frame.f_back
        if frame is None:
            return None, module
        line, end, first, last = next(itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
        return Place(self.path.name, line or 0, first or 0, end or 0, last or 0), module

    def outermost(self) -> int:
        frame: FrameType | None = sys._getframe(1)
        line = 0
        while frame is not None:
            line = frame.f_lineno if frame.f_code.co_filename == str(self.path) else line
            frame = frame.f_back
        return line

    def index(self, tensor: Any, fresh: bool = False) -> int:
        tape = self.tapes[-1]
        if fresh or id(tensor) not in self.ids:
            leaf = isinstance(tensor, torch.Tensor) and tensor.is_leaf and tensor.requires_grad
            self.ids[id(tensor)] = tape.value(tensor.detach().numpy(), parameter=0 if leaf else None)
            self.alive.append(tensor)
        return self.ids[id(tensor)]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        raw = getattr(func, "__name__", "")
        if raw in ("__get__", "__set__"):
            raw = ("set " if raw == "__set__" else "") + func.__self__.__name__
        name = raw.strip("_")
        name = NAMES.get(name, name)
        if name in SILENT or raw.startswith("set "):
            return func(*args, **kwargs)
        place, module = self.place()
        operands = list(args[0]) if args and isinstance(args[0], list | tuple) else list(args)
        operands += [kwargs[key] for key in ("target", "input", "index") if key in kwargs]
        tensors = [x for x in operands if isinstance(x, torch.Tensor)]
        if name == "backward":
            tape = self.tapes[-1]
            tape.kind, tape.loss = "train", self.index(args[0])
            self.backwards.append(Backward(len(self.tapes) - 1, place, self.count, float(args[0].detach()), False, ()))
            self.count += 1
            self.open = False
            return func(*args, **kwargs)
        if (
            name in PRODUCTS
            and tensors
            and id(tensors[0]) not in self.derived
            and not (self.open and self.rows is tensors[0])
        ):
            self.rows = tensors[0]
            n = len(tensors[0])
            self.tapes.append(Builder(np.zeros(0, np.int64), n, "eval", self.count))
            self.ids, self.alive, self.derived, self.open = {}, [], set(), True
            self.tapes[-1].caller = self.outermost()
            rows = tensors[0].detach().numpy()
            self.ids[id(tensors[0])] = self.tapes[-1].value(rows, rows=True)
            self.alive.append(tensors[0])
        result = func(*args, **kwargs)
        first = result[0] if isinstance(result, tuple) else result
        if not self.open or not tensors or not isinstance(first, torch.Tensor) or place is None:
            return result
        tape = self.tapes[-1]
        inner = [y for x in args if isinstance(x, tuple) for y in x if isinstance(y, torch.Tensor)]
        of_model = name in PRODUCTS or any(id(x) in self.derived for x in tensors)
        for x in [*tensors, *inner] if of_model and name not in PRODUCTS else ():
            if x.dtype == torch.bool:
                continue
            if not len(tape.labels) and is_one_hot(x, tape.n) and id(x) not in self.derived:
                tape.labels = x.detach().argmax(1).numpy().copy()
            whole = bool((x == x.round()).all()) and not torch.equal(x.ravel(), torch.arange(tape.n))
            if (
                not len(tape.labels)
                and x.numel() == tape.n
                and whole
                and id(x) not in self.derived
                and not x.requires_grad
            ):
                tape.labels = x.detach().long().ravel().numpy().copy()
        if len(tape.ops) < 200:
            inputs = [self.index(x) for x in tensors]
            constants = [float(x) for x in operands if type(x) in (int, float)]
            out = self.index(first, fresh=True)
            if of_model:
                self.derived.add(id(first))
            label = "view" if name in VIEWS else name
            tape.ops.append(Op(label, place, tuple(inputs), tuple(constants), options_of(args, kwargs), out, module))
        return result


def is_one_hot(x: torch.Tensor, n: int) -> bool:
    """Whether a tensor has one 1 in each of n rows, and else 0."""
    return x.ndim == 2 and len(x) == n and bool(((x == 0) | (x == 1)).all()) and bool((x.sum(1) == 1).all())


def options_of(args: Any, kwargs: Any) -> dict[str, Any]:
    options = {key: x for key, x in kwargs.items() if isinstance(x, int | float | str | bool)}
    axis = options.pop("dim", options.pop("axis", next((x for x in args[1:] if type(x) is int), None)))
    if isinstance(axis, int):
        first = args[0] if args else kwargs["input"]
        options["axis"] = axis + first.ndim if axis < 0 else axis
    return options


def wanted(seen: int) -> bool:
    return seen < 3 or seen & (seen - 1) == 0


def record(path: Path, **fields: Any) -> Evidence:
    """Run a program that uses torch and give what the checks see of it."""
    state = torch.get_rng_state()
    recorder = Recorder(path)
    output = io.StringIO()
    try:
        with recorder, redirect_stdout(output):
            runpy.run_path(str(path), run_name="__main__")
    finally:
        torch.set_rng_state(state)
    seen: Counter[object] = Counter()
    chosen: list[Builder] = []
    for tape in recorder.tapes:
        key = (tape.kind, tape.caller)
        if wanted(seen[key]) if tape.kind == "train" else seen[key] < 3:
            chosen.append(tape)
        seen[key] += 1
    training = Training(0, recorder.count, None, True, None, (), None, None)
    trace = trace_of(
        *chosen, backwards=tuple(recorder.backwards), trainings=(fields.pop("training", training),), **fields
    )
    return evidence_of(program_of(path), replace(trace, output=output.getvalue()))


Check = Callable[[Evidence], Any]

__all__ = ["Builder", "Check", "Made", "evidence_of", "program_of", "record", "summary", "trace_of"]


def place_of(program: Program, text: str) -> Place:
    for number, line in enumerate(program.units[0].source.splitlines(), 1):
        if text in line:
            return Place(program.units[0].file, number, line.index(text), number, line.index(text) + len(text))
    raise AssertionError(text)
