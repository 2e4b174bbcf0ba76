"""Listening to the hooks: others are told of each event after it happened, in this process and from now on."""

from collections.abc import Callable
from typing import Any

from byhand.doctor.watch.hooks import Hooks
from byhand.doctor.watch.numpy_names import operation
from byhand.doctor.watch.recorder import Recorder

__all__ = ["on_result", "on_scalars", "on_update", "replacing", "replacing_results"]


def on_result(hooks: Hooks, told: Callable[[int, str, tuple[Any, ...], Any], None]) -> None:
    """``told(k, name, operands, result)`` after each operator, index, ``.T`` and call that the hooks see.

    A function has the name of the operator that it is: ``np.divide(a, b)`` is told as ``a / b``.
    """

    def binary(usual: Any, k: int, name: str, left: Any, right: Any) -> Any:
        result = usual(k, name, left, right)
        told(k, name, (left, right), result)
        return result

    def unary(usual: Any, k: int, name: str, value: Any) -> Any:
        result = usual(k, name, value)
        told(k, name, (value,), result)
        return result

    def attribute(usual: Any, k: int, owner: Any, name: str) -> Any:
        result = usual(k, owner, name)
        told(k, "transpose", (owner,), result)
        return result

    def item(usual: Any, k: int, owner: Any, index: Any) -> Any:
        result = usual(k, owner, index)
        told(k, "getitem", (owner,), result)
        return result

    def call(usual: Any, k: int, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        result = usual(k, function, *args, **kwargs)
        told(k, *operation(function, args), result)
        return result

    _wrap(hooks, "binary", binary)
    _wrap(hooks, "unary", unary)
    _wrap(hooks, "attribute", attribute)
    _wrap(hooks, "item", item)
    _wrap(hooks, "call", call)


def on_scalars(hooks: Hooks, note: Callable[[int, Any, str], None]) -> None:
    """``note(k, value, name)`` for each value that comes up; ``name`` is the variable that it is assigned to, or ""."""

    def named(usual: Any, k: int, name: str, value: Any) -> None:
        note(k, value, name)
        usual(k, name, value)

    def changed(usual: Any, k: int, name: str, sign: str, value: Any) -> None:
        note(k, value, name)
        usual(k, name, sign, value)

    on_result(hooks, lambda k, name, operands, result: note(k, result, ""))
    _wrap(hooks, "named", named)
    _wrap(hooks, "changed", changed)


def on_update(recorder: Recorder, told: Callable[[str, Any, Any, Any], None]) -> None:
    """``told(name, old, new, place)`` after ``W -= ...`` (old and new are one) and after ``W = W - ...``."""

    def change(usual: Any, name: str, array: Any, place: Any) -> None:
        usual(name, array, place)
        told(name, array, array, place)

    def rebind(usual: Any, name: str, old: Any, new: Any, place: Any) -> None:
        usual(name, old, new, place)
        told(name, old, new, place)

    _wrap(recorder.steps, "change", change)
    _wrap(recorder.steps, "rebind", rebind)


def replacing(hooks: Hooks, name: str, wrapper: Callable[..., Any]) -> None:
    """Have a hook's calls made by ``wrapper(usual, *arguments)``."""
    _wrap(hooks, name, wrapper)


def replacing_results(hooks: Hooks, other: Callable[[int, str, tuple[Any, ...], Any], Any]) -> None:
    """Have what operators and calls give replaced: ``other(k, name, operands, result)`` stands for the result."""

    def binary(usual: Any, k: int, name: str, left: Any, right: Any) -> Any:
        return other(k, name, (left, right), usual(k, name, left, right))

    def call(usual: Any, k: int, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        return other(k, *operation(function, args), usual(k, function, *args, **kwargs))

    replacing(hooks, "binary", binary)
    replacing(hooks, "call", call)


def _wrap(owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
    usual = getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        return wrapper(usual, *args, **kwargs)

    setattr(owner, name, call)
