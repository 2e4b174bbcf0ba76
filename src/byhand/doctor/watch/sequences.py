"""torch's layers over sequences, each one call however many steps it takes: recurrent ones, and attention.

Their input is (T, N, F), or (N, T, F) with ``batch_first``. What a program hands them need not be that, so which axis
counts its rows is asked of the labels.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from byhand.doctor.watch.arrays import is_float, is_listed, is_tensor
from byhand.doctor.watch.recorder import Recorder

__all__ = ["SEQUENCES", "over_sequences"]

_ATTENTION: Final = "multi_head_attention_forward"
SEQUENCES: Final = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu", _ATTENTION})


class _Call(NamedTuple):
    rows: Any
    weights: list[Any]
    batch_first: bool


def over_sequences(
    recorder: Recorder, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Make a call of one of ``SEQUENCES``, and say what it is: a product of its rows with its weights.

    A packed sequence's steps are of all rows in turn: of those nothing is said.
    """
    call = _attention(args, kwargs) if name == _ATTENTION else _recurrent(args)
    if call is not None:
        with recorder.safe:
            _begin(recorder, call)
    result = func(*args, **kwargs)
    if call is not None:
        with recorder.safe:
            _end(recorder, name, call, [one for one in result if is_tensor(one)])
    return result


def _recurrent(args: tuple[Any, ...]) -> _Call | None:
    """Of (input, start, weights, biases, layers, dropout, training, bidirectional, batch_first)."""
    if len(args) < 9 or not is_tensor(args[0]) or not is_listed(args[2]) or type(args[3]) is not bool:
        return None
    return _Call(args[0], [one for one in args[2] if is_tensor(one)], bool(args[8]))


def _attention(args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Call | None:
    """Of (query, key, value, width, heads, weights, biases, ...): its module has turned what is ``batch_first``."""
    given = [*args[5:7], kwargs.get("q_proj_weight")]
    weights = [one for one in given if is_tensor(one)]
    return _Call(args[0], weights, False) if args and is_tensor(args[0]) and weights else None


def _begin(recorder: Recorder, call: _Call) -> None:
    rows, forwards = call.rows, recorder.forwards
    roles = {recorder.lineage.role(one) for one in call.weights}  # makes known whose they are
    if "parameter" not in roles or not is_float(rows):
        return
    if recorder.lineage.role(rows) == "data":
        if rows.ndim == 3:
            usual = 0 if call.batch_first else 1
            axis = recorder.labels.axis((int(rows.shape[0]), int(rows.shape[1])), id(call.weights[0]), usual)
            forwards.begin(rows, axis, call.weights[0])
        else:
            forwards.begin(rows[None], 0, call.weights[0])  # one row alone
    for one in call.weights:
        forwards.use(one)


def _end(recorder: Recorder, name: str, call: _Call, made: list[Any]) -> None:
    draft = recorder.forwards.current
    for one in made:
        recorder.lineage.derive(one, True)
        if one.grad_fn is not None and draft is not None:
            one.grad_fn.metadata["byhand"] = draft.index
        if recorder.tape.running:
            recorder.tape.op(
                name,
                [call.rows, *call.weights],
                {"batch_first": call.batch_first},
                one,
                recorder.frames.innermost(),
                recorder.frames.module(),
            )
