"""torch's side of the observer: a function mode sees every operation, hooks see optimizers and loaders.

The mode passes each call on as it is and then says what it was. Inside the mode torch calls are not seen again, so an
operation stands for itself: F.cross_entropy is one, whatever it computes inside.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final, cast, final

import torch
from torch.overrides import TorchFunctionMode

from byhand.doctor.trace import LossCall
from byhand.doctor.watch.arrays import as_numpy, is_float, is_listed, pointer
from byhand.doctor.watch.choices import choice_of
from byhand.doctor.watch.coarse import CASTS, ROUNDINGS
from byhand.doctor.watch.graph import walk
from byhand.doctor.watch.labels import INDEX, LOSS, classes_in
from byhand.doctor.watch.objects import watch_loaders, watch_optimizers
from byhand.doctor.watch.operations import (
    CHOICES,
    LOSSES,
    PRODUCTS,
    SILENT,
    STARTS,
    VIEWS,
    is_in_place,
    options_of,
    plain_name,
)
from byhand.doctor.watch.recorder import Recorder
from byhand.doctor.watch.safe import Once
from byhand.doctor.watch.sequences import SEQUENCES, over_sequences
from byhand.doctor.watch.stacked import stack_rows
from byhand.doctor.watch.threads import watch_threads
from byhand.doctor.watch.uncompiled import switch_off

__all__ = ["watch"]

_is_tracing: Final = torch._C._get_tracing_state  # pyright: ignore[reportPrivateUsage]
_transform: Final = cast("Any", torch._C)._functorch.peek_interpreter_stack  # pyright: ignore[reportPrivateUsage]
_ORDERS: Final = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "greater": ">", "less": "<", "round": ">"}
_SHARING: Final = frozenset({"detach", "data", "cpu", "to", "float", "numpy"})


@final
class _Mode(TorchFunctionMode):
    """Sees every call of torch's from this thread."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self._names: dict[Any, tuple[str, Callable[..., Any] | None, bool]] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        recorder = self._recorder
        if not recorder.on or recorder.stepping or _is_tracing():
            return func(*args, **kwargs)
        if _transform() is not None:
            recorder.note("what runs within torch.func's transforms was not watched")
            return func(*args, **kwargs)
        try:
            entry = self._names[func]
        except (KeyError, TypeError):
            entry = self._entry(func)
        name, handler, silent = entry
        if silent:
            return func(*args, **kwargs)
        result = func(*args, **kwargs) if handler is None else self._handle(handler, name, func, args, kwargs)
        with recorder.safe:
            self._follow(name, args, kwargs, result)
        return result

    def _handle(
        self, handler: Callable[..., Any], name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        once = Once(func)
        try:
            return handler(self, name, once, args, kwargs)
        except Exception as error:
            if once.failed:
                raise
            self._recorder.safe.note(error)
            return once.result if once.done else func(*args, **kwargs)

    def _entry(self, func: Any) -> tuple[str, Callable[..., Any] | None, bool]:
        raw = getattr(func, "__name__", "")
        name = plain_name(func)
        handler: Callable[..., Any] | None = None
        if name in PRODUCTS:
            handler = _Mode._product
        elif name in SEQUENCES:
            handler = _Mode._sequence
        elif name in LOSSES:
            handler = _Mode._loss
        elif name in CHOICES:
            handler = _Mode._choice
        elif name == "backward" or (name == "grad" and raw == "grad"):
            handler = _Mode._backward
        elif name in ("eq", "ne"):
            handler = _Mode._compare
        elif name in _ORDERS:
            handler = _Mode._divide
        elif name in ROUNDINGS or name in CASTS:
            handler = _Mode._coarsen
        elif name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout"):
            handler = _Mode._dropout
        elif name in ("gather", "getitem", "take_along_dim"):
            handler = _Mode._index
        elif raw == "requires_grad_" or name == "set requires_grad" or name in STARTS:
            handler = _Mode._birth
        elif is_in_place(func):
            handler = _Mode._in_place
        silent = handler is None and (name in SILENT or name.startswith(("set ", "is_", "has_")))
        entry = (name, handler, silent)
        self._names[func] = entry
        return entry

    def _follow(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Say of the result what it is made of, and write it on the tape."""
        recorder = self._recorder
        if name in SEQUENCES:
            return  # it has said so itself
        first: Any = result[0] if type(result) is not torch.Tensor and is_listed(result) and result else result
        if not isinstance(first, torch.Tensor):
            if name == "numpy":
                self._share(args[0], result)
            return
        tensors: list[Any] = [arg for arg in args if isinstance(arg, torch.Tensor)]
        if not tensors and args and is_listed(args[0]):
            tensors = [arg for arg in args[0] if isinstance(arg, torch.Tensor)][:256]
        if not tensors:
            if kwargs.get("requires_grad"):
                recorder.lineage.birth(first)
            return
        if not first.is_floating_point() and name not in CHOICES and not recorder.tape.running:
            return
        if name in _SHARING and self._share(tensors[0], first):
            return
        roles = {recorder.lineage.role(tensor) for tensor in tensors[:8]}
        if roles != {"data"}:
            rows = "derived" in roles or ("data" in roles and name not in ("sub", "add", "mul", "div"))
            if first is not tensors[0] and recorder.lineage.parameters.find(first) is None:
                recorder.lineage.derive(first, rows)
            if name == "add" and len(tensors) == 2:
                recorder.added(tensors[0], tensors[1], first)
            elif name in ("mul", "sub") and len(tensors) == 2 and "data" in roles:
                recorder.beside(tensors[0], tensors[1])
        if recorder.tape.running and len(tensors) <= 16:
            operands: list[Any] = list(args[0]) if args and is_listed(args[0]) else list(args)
            operands += [
                value for key, value in kwargs.items() if key in ("target", "input", "other", "index", "weight")
            ]
            module = recorder.frames.module()
            op = "view" if name in VIEWS else name
            recorder.tape.op(op, operands, options_of(name, args, kwargs), first, recorder.frames.innermost(), module)

    def _share(self, tensor: Any, result: Any) -> bool:
        """``detach()`` and the like: a parameter's is the parameter, under another name; whether it is one."""
        lineage = self._recorder.lineage
        role = lineage.role(tensor)
        if role == "parameter":
            slot = lineage.parameters.find(tensor)
            if slot is not None and pointer(result) == pointer(tensor):
                lineage.parameters.share(slot, result)
                return True
        elif role != "data" and not isinstance(result, torch.Tensor):
            lineage.derive(result, role == "derived")
        return False

    # What some operations mean.

    def _product(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        recorder = self._recorder
        tensors: list[Any] = [arg for arg in args if isinstance(arg, torch.Tensor)]
        if len(tensors) < 2:
            listed: list[Any] = list(args[1]) if len(args) > 1 and is_listed(args[1]) else list(args[1:])
            tensors += [arg for arg in listed if isinstance(arg, torch.Tensor)]
            tensors += [value for value in kwargs.values() if isinstance(value, torch.Tensor)]
        if name in ("addmm", "baddbmm", "addmv"):
            tensors = tensors[1:]
        unknown = False
        if len(tensors) >= 2:
            if name == "batch_norm":
                weight = kwargs.get("weight", args[3] if len(args) > 3 else None)
                tensors = [tensors[0], weight] if isinstance(weight, torch.Tensor) else tensors[:1]
            if len(tensors) >= 2:
                order = (tensors[1], tensors[0]) if name == "embedding" and not tensors[0].is_floating_point() else None
                left, right = order or (tensors[0], tensors[1])
                unknown = recorder.forwards.product("matmul" if name in ("matmul", "mm", "mv") else name, left, right)
        for bias in tensors[2:]:
            recorder.forwards.use(bias)
        if name == "batch_norm" and recorder.forwards.current is not None:
            training = kwargs.get("training", args[5] if len(args) > 5 else False)
            recorder.layers.ran(recorder.forwards.current, "BatchNorm", training)
        result = func(*args, **kwargs)
        if unknown:
            recorder.lineage.derive(result, True)
        node = result.grad_fn if isinstance(result, torch.Tensor) else None
        if node is not None and recorder.forwards.current is not None:
            cast("Any", node).metadata["byhand"] = recorder.forwards.current.index
        return result

    def _sequence(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return over_sequences(self._recorder, name, func, args, kwargs)

    def _loss(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        recorder = self._recorder
        scores = args[0] if args else kwargs.get("input")
        target = args[1] if len(args) > 1 else kwargs.get("target")
        result = func(*args, **kwargs)
        if not isinstance(scores, torch.Tensor) or not isinstance(target, torch.Tensor):
            return result
        recorder.labels.note(recorder.forwards.current, target, LOSS)
        value = as_numpy(result)
        number = float(value.reshape(-1)[0]) if value is not None and value.size == 1 else None
        call = LossCall(
            None,
            recorder.frames.innermost(),
            name,
            number,
            str(kwargs.get("reduction", "mean")),
            tuple(scores.shape),
            tuple(target.shape),
        )
        recorder.evaluations.lose(call)
        return result

    def _choice(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = func(*args, **kwargs)
        seen = self._recorder.evaluations
        choice = choice_of(name, args, kwargs, result)
        if choice is None or not (choice.scores.is_floating_point() or seen.coarse.before(choice.scores)):
            return result
        place = self._recorder.frames.innermost()
        if choice.falling is not None:
            seen.rank(choice.scores, choice.axis, choice.chosen, falling=choice.falling, place=place)
        else:
            seen.predict(name, choice.scores, choice.axis, choice.chosen, place)
        return result

    def _backward(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        recorder = self._recorder
        loss: Any = args[0] if args else kwargs.get("tensors", kwargs.get("outputs"))
        if is_listed(loss):
            loss = loss[0] if loss else None
        if not isinstance(loss, torch.Tensor):
            return func(*args, **kwargs)
        place = recorder.frames.innermost()
        marks, leaves, kept = walk(loss) if recorder.steps.must_walk() else (set[int](), [], [])
        recorder.kept_graphs.passed(loss, kept)
        recorder.steps.backward(loss, place, marks, leaves)
        result = func(*args, **kwargs)
        pairs: list[tuple[Any, Any]] = []
        if name == "grad":
            inputs: Any = args[1] if len(args) > 1 else kwargs.get("inputs")
            pairs = list(zip(inputs if is_listed(inputs) else [inputs], result, strict=False))
        recorder.steps.after_backward(pairs)
        return result

    def _compare(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = func(*args, **kwargs)
        if len(args) == 2 and isinstance(result, torch.Tensor):
            left, right = args
            if isinstance(left, torch.Tensor) and hasattr(right, "shape"):
                place = self._recorder.frames.innermost()
                self._recorder.evaluations.compare("==" if name == "eq" else "!=", left, right, result, place)
        return result

    def _divide(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = func(*args, **kwargs)
        if args and isinstance(result, torch.Tensor):
            left, right = args if len(args) == 2 else (args[0], 0.5)  # rounding cuts at one half
            place = self._recorder.frames.innermost()
            self._recorder.evaluations.divide(_ORDERS[name], left, right, result, place)
            if _ORDERS[name][0] == ">":
                self._recorder.evaluations.coarse.note(left, result, place)
        return result

    def _coarsen(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = func(*args, **kwargs)
        if args and isinstance(args[0], torch.Tensor) and args[0].ndim == 2:
            place = self._recorder.frames.innermost() if name in ROUNDINGS or not is_float(result) else None
            self._recorder.evaluations.coarse.note(args[0], result, place, cast=name in CASTS)
        return result

    def _dropout(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        draft = self._recorder.forwards.current
        p = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
        training = kwargs.get("training", args[2] if len(args) > 2 else True)
        if draft is not None and isinstance(p, int | float) and p > 0:
            self._recorder.layers.ran(draft, "Dropout", training)
        return func(*args, **kwargs)

    def _index(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        recorder = self._recorder
        index: Any = None
        if name == "getitem" and len(args) > 1:
            index = classes_in(*args[1]) if is_listed(args[1]) and len(args[1]) == 2 else None
        elif name == "gather":
            index = kwargs.get("index", args[2] if len(args) > 2 else None)
        whole = isinstance(index, torch.Tensor) and not index.is_floating_point()
        if whole and args and args[0].ndim == 2 and args[0].is_floating_point():
            recorder.labels.note(recorder.forwards.current, index, INDEX)
        return func(*args, **kwargs)

    def _birth(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = func(*args, **kwargs)
        array = args[0] if args else kwargs.get("tensor")
        if isinstance(array, torch.Tensor) and array.is_leaf:
            if array.requires_grad:
                self._recorder.lineage.birth(array)
            slot = self._recorder.lineage.parameters.find(array)
            if slot is not None and "requires_grad" in name:
                slot.frozen = not array.requires_grad
        return result

    def _in_place(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        recorder = self._recorder
        slot = recorder.lineage.parameters.find(args[0]) if args and isinstance(args[0], torch.Tensor) else None
        result = func(*args, **kwargs)
        if slot is not None and not recorder.stepping:
            current = slot.current()
            if name == "set data" and current is not None:
                recorder.lineage.parameters.hold(slot, current)  # other memory from now on
            if name == "copy" and recorder.steps.is_given_back():
                recorder.forwards.restored()
            elif name not in ("mul", "div") and recorder.steps.has_learnt(slot):
                recorder.steps.update(slot, recorder.frames.innermost(), hand=True)
        return result


def watch(recorder: Recorder) -> AbstractContextManager[Any]:
    """Patch torch for this process, for good, and give the context in which its calls are seen."""
    watch_optimizers(recorder)
    stack_rows()
    watch_loaders(recorder)
    switch_off(recorder.note)
    mode = cast("AbstractContextManager[Any]", _Mode(recorder))
    watch_threads(recorder.frames, mode)
    return mode
