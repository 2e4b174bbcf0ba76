"""What the rewritten program calls: each hook does what the user wrote, and says so to the recorder.

Tensors are torch's own business (``torch_calls``); here are NumPy's arrays, plain numbers, names, loops and prints.
"""

import builtins
import sys
import types
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast, final

import numpy as np

from byhand.doctor.place import Place
from byhand.doctor.watch.arrays import is_array, is_listed, is_numpy, is_tensor, remade
from byhand.doctor.watch.coarse import CASTS, ROUNDINGS
from byhand.doctor.watch.compared import Compared
from byhand.doctor.watch.numpy_names import ARITHMETIC, CHOICES, COMPARISONS, METRICS, PRODUCTS, VIEWS, operation
from byhand.doctor.watch.recorder import Recorder
from byhand.doctor.watch.safe import unwatched
from byhand.doctor.watch.scalars import is_number

__all__ = ["Hooks"]

_NAMED_ONCE: Final = 3  # times that the value of one assignment is summarized
_MEMBERS: Final = 100  # values of one entry that are looked at
_PLAIN: Final = frozenset({int, float, str, bool, list, tuple, dict, types.NoneType})


@final
class Hooks:
    """The object ``__byhand__`` of a rewritten program."""

    def __init__(self, recorder: Recorder, places: list[Place]) -> None:
        self.slice = slice  # the builtin, whose name the user may have taken
        self._recorder, self._places = recorder, places
        self._named: Counter[int] = Counter()  # by place: values that were named there
        self._compared = Compared(recorder.evaluations)

    # Comparisons and calls.

    def compare(self, k: int, name: str, left: Any, right: Any) -> Any:
        """``left == right`` and the like; of ``<`` and its kin, those with a number on one side."""
        known = len(self._recorder.evaluations.comparisons)
        outcome: Any = COMPARISONS[name](left, right)
        if self._recorder.on:
            with self._recorder.safe:
                told = len(self._recorder.evaluations.comparisons) > known
                self._compared.note(self._places[k], name, left, right, outcome, told=told)
        return outcome

    def flush(self) -> None:
        """Plain comparisons in a row end here."""
        self._compared.flush()

    def call(self, k: int, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """A call of something whose name is known to matter."""
        recorder = self._recorder
        if function is builtins.print:
            with recorder.safe:
                self._print(k, args, kwargs)
            with recorder.told:
                return function(*args, **kwargs)
        if not recorder.on:
            return function(*args, **kwargs)
        name, operands = operation(function, args)
        if name == "manual_seed" and type(getattr(function, "__self__", None)).__name__ == "Generator" and args:
            recorder.seeded = True
            return function(args[0] + recorder.shift, *args[1:])
        unknown = False
        if name in PRODUCTS:
            arrays: list[Any] = [value for value in operands if is_numpy(value)]
            if len(arrays) == 2:
                with recorder.safe:
                    unknown = recorder.forwards.product("matmul", arrays[0], arrays[1])
        result = function(*args, **kwargs)
        with recorder.safe:
            out = kwargs.get("out")
            if is_numpy(out) and any(value is out for value in operands):  # np.subtract(w, g, out=w) is w -= g
                self.changed(k, recorder.lineage.known_name(out) or "", name, out)
            if name in METRICS:
                self._metric(k, name, args, kwargs)
            elif any(is_numpy(value) for value in operands) or is_numpy(result):
                self._numpy(k, name, operands, kwargs, result, unknown)
        return result

    def _print(self, k: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        file = kwargs.get("file")
        if not self._recorder.on or file not in (None, sys.stdout, sys.stderr):
            return
        self.flush()
        with unwatched():
            try:
                text = str(kwargs.get("sep") or " ").join(str(arg) for arg in args)
            except Exception:  # noqa: BLE001, the user's own __str__ fails: print will say so
                return
            values = tuple(float(arg) for arg in args if is_number(arg))
        self._recorder.print(text[:2000], values, self._places[k])

    def _metric(self, k: int, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        pair = [*args, *(kwargs[key] for key in ("y_true", "y_pred") if key in kwargs)][:2]
        if len(pair) == 2:
            with unwatched():
                sides: list[Any] = [np.asarray(side) if is_listed(side) else side for side in pair]
                if all(is_array(side) for side in sides):
                    self._recorder.evaluations.compare(name, sides[0], sides[1], None, self._places[k])

    def _numpy(
        self, k: int, name: str, operands: tuple[Any, ...], options: dict[str, Any], result: Any, unknown: bool
    ) -> None:
        """Say of a NumPy operation what its result is made of; write it on the tape."""
        recorder = self._recorder
        arrays: list[Any] = [value for value in operands if is_numpy(value)]
        if not arrays and operands and is_listed(operands[0]):
            arrays = [value for value in operands[0] if is_numpy(value)][:64]
        if name in CHOICES and arrays:
            axis = _axis(arrays[0], operands, options, None)
            recorder.evaluations.predict(name, arrays[0], axis, np.asarray(result), self._places[k])
        if name == "argsort" and arrays and arrays[0].ndim == 2:
            axis = _axis(arrays[0], operands, options, -1)
            recorder.evaluations.rank(arrays[0], axis, result, falling=False, place=self._places[k])
        if arrays and (name in ROUNDINGS or name in CASTS):
            kept = name in CASTS and is_numpy(result) and result.dtype.kind == "f"
            recorder.evaluations.coarse.note(arrays[0], result, None if kept else self._places[k], cast=name in CASTS)
        if name in ("round", "rint") and len(arrays) == 1 and len(operands) == 1:
            recorder.evaluations.divide(">", arrays[0], 0.5, result, self._places[k])
        if not any(array.dtype.kind == "f" for array in arrays[:2]):
            return
        roles = {recorder.lineage.role(array) for array in arrays[:8]}
        if unknown:
            recorder.lineage.derive(result, True)
        elif roles != {"data"} and not (name == "add" and recorder.is_offset(arrays)):
            rows = "derived" in roles or ("data" in roles and name in PRODUCTS)
            if is_numpy(result) and recorder.lineage.parameters.find(result) is None:
                recorder.lineage.derive(result, rows)
            if name == "add" and len(arrays) == 2:
                recorder.added(arrays[0], arrays[1], result)
            if name in ("mul", "sub") and len(arrays) == 2 and "data" in roles:
                recorder.beside(arrays[0], arrays[1])
        if recorder.tape.running and type(result).__module__ == "numpy":
            self._tape(k, "view" if name in VIEWS else name, list(operands), options, np.asarray(result))

    def _tape(self, k: int, name: str, operands: list[Any], options: dict[str, Any], result: Any) -> None:
        if operands and is_listed(operands[0]):  # a column of ones may stand before what the model computed
            lineage = self._recorder.lineage
            operands = sorted(operands[0], key=lambda one: is_numpy(one) and lineage.role(one) == "data")
        plain = {key: value for key, value in options.items() if isinstance(value, int | float | str | bool)}
        if name in ("sum", "mean", "max", "min", "amax", "amin", "argmax", "argmin", "softmax", "logsumexp"):
            plain["axis"] = _axis(operands[0], operands, options, None)
            operands = operands[:1]
        self._recorder.tape.op(name, operands, plain, result, self._places[k], None)

    # Arithmetic.

    def binary(self, k: int, name: str, left: Any, right: Any) -> Any:
        """``left + right`` and the like."""
        arrays = is_numpy(left) or is_numpy(right)
        unknown = False
        if name == "matmul" and self._recorder.on and is_numpy(left) and is_numpy(right):
            with self._recorder.safe:
                unknown = self._recorder.forwards.product("matmul", left, right)
        result = ARITHMETIC[name](left, right)
        if arrays and self._recorder.on and not is_tensor(result):
            with self._recorder.safe:
                self._numpy(k, name, (left, right), {}, result, unknown)
        return result

    def unary(self, k: int, name: str, value: Any) -> Any:
        """``-value``."""
        result = -value
        if is_numpy(value) and self._recorder.on:
            with self._recorder.safe:
                self._numpy(k, name, (value,), {}, result, False)
        return result

    def item(self, k: int, owner: Any, index: Any) -> Any:
        """``owner[index]``; ``np.c_[a, b]`` is a call in brackets."""
        result = owner[index]
        if owner is np.c_ and self._recorder.on and is_listed(index):
            with self._recorder.safe:
                self._numpy(k, "column_stack", (index,), {}, result, False)
        elif is_numpy(owner) and self._recorder.on and owner.dtype.kind == "f":
            with self._recorder.safe:
                self._item(k, owner, index, result)
        return result

    def entry(self, k: int, owner: Any, index: Any) -> Any:
        """The index of ``owner[rows, classes] -= 1``."""
        if is_numpy(owner) and self._recorder.on and owner.dtype.kind == "f":
            with self._recorder.safe:
                self._picked(owner, index)
        return index

    def _picked(self, owner: Any, index: Any) -> None:
        recorder = self._recorder
        if type(index) is tuple and owner.ndim == 2 and recorder.lineage.role(owner) != "data":
            recorder.labels.picked(recorder.forwards.current, cast("tuple[Any, ...]", index))

    def _item(self, k: int, owner: Any, index: Any, result: Any) -> None:
        self._picked(owner, index)
        if is_numpy(result):
            self._numpy(k, "getitem", (owner,), {}, result, False)

    def attribute(self, k: int, owner: Any, name: str) -> Any:
        """``owner.T``."""
        result = getattr(owner, name)
        if is_numpy(owner) and self._recorder.on:
            with self._recorder.safe:
                self._numpy(k, "transpose", (owner,), {}, result, False)
        return result

    # Names and updates.

    def named(self, k: int, name: str, value: Any) -> None:
        """``name = value``."""
        if type(value) in _PLAIN:
            if type(value) is float and self._recorder.settings.wants(name):
                self._recorder.set(name, value, self._places[k])
            elif type(value) in (list, dict) and self._named[k] < _NAMED_ONCE:
                self._named[k] += 1
                with self._recorder.safe:
                    self._recorder.members(value, self._places[k])
            return
        if not is_array(value):
            with self._recorder.safe, unwatched():
                self._recorder.objects(name, value, self._places[k])
            return
        if not self._recorder.on:
            return
        self._named[k] += 1
        with self._recorder.safe, unwatched():
            self._recorder.name(name, value, self._places[k], self._named[k] <= _NAMED_ONCE)

    def changed(self, k: int, name: str, sign: str, value: Any) -> None:
        """``name -= ...`` is done."""
        if type(value) in _PLAIN:
            self.named(k, name, value)
            return
        if not self._recorder.on or sign not in ("add", "sub"):
            return
        if is_numpy(value) or (is_tensor(value) and not value.requires_grad):
            with self._recorder.safe, unwatched():
                self._recorder.steps.change(name, value, self._places[k])
        elif is_tensor(value):
            with self._recorder.safe, unwatched():
                self._recorder.grown(k, name, value, self._places[k])

    def rebound(self, k: int, name: str, old: Any, new: Any) -> Any:
        """``name = name - ...``, or a list or a dictionary of such."""
        if self._recorder.on and old is not new:
            with self._recorder.safe:
                if is_tensor(new) and new.requires_grad:
                    with unwatched():
                        self._recorder.grown(k, name, new, self._places[k])
                for part, before, after in remade(name, old, new):
                    self._rebind(k, part, before, after)
        return new

    def _rebind(self, k: int, name: str, old: Any, new: Any) -> None:
        if not is_array(old) or not is_array(new) or old.shape != new.shape or old is new:
            return
        self._named[k] += 1
        with unwatched():
            self._recorder.steps.rebind(name, old, new, self._places[k])
            self._recorder.name(name, new, self._places[k], self._named[k] <= _NAMED_ONCE)

    def kept(self, k: int, value: Any) -> Any:
        """``list.append(value)``."""
        if type(value) not in _PLAIN and is_tensor(value) and self._recorder.on and value.requires_grad:
            with self._recorder.safe, unwatched():
                self._recorder.kept_graphs.listed(k, value, self._places[k])
        return self.member(k, value)

    def member(self, k: int, value: Any) -> Any:
        """``d["key"] = value``, ``list.append(value)``."""
        if is_numpy(value) and self._recorder.on and self._named[k] < _MEMBERS:
            self._named[k] += 1
            with self._recorder.safe:
                self._recorder.members([value], self._places[k])
        return value

    # Loops, and what a notebook shows.

    def enter(self, k: int, iterable: Any) -> Any:
        """A loop begins."""
        self.flush()
        planned = None
        if type(iterable) in (range, list, tuple):
            planned = len(iterable)
        self._recorder.loops.enter(k, self._places[k], planned)
        return iterable

    def tick(self, k: int) -> bool:
        """A round begins; whether the loop shall end instead."""
        return self._recorder.tick(k) if self._recorder.on else False

    def leave(self, k: int) -> None:
        """A loop is over."""
        self._recorder.loops.leave(k)

    def shown(self, k: int, value: Any) -> None:
        """The value that a notebook shows under a cell."""
        if value is None:
            return
        with unwatched():
            text = repr(value)
            with self._recorder.told:
                print(text)  # noqa: T201, as a notebook does
            if self._recorder.on:
                values = (float(value),) if is_number(value) else ()
                self._recorder.print(text[:2000], values, self._places[k])


def _axis(array: Any, operands: Sequence[Any], options: Mapping[str, Any], usual: int | None) -> Any:
    """The axis that a NumPy function works along, counted from 0; None: all of them."""
    axis = options.get("axis", next((value for value in operands[1:] if type(value) is int), usual))
    return axis + array.ndim if isinstance(axis, int) and axis < 0 and is_array(array) else axis
