"""What a call of torch's chose: the scores, their axis, and the positions; of argmax, max(dim), topk and the like."""

from typing import Any, NamedTuple

import torch

__all__ = ["Choice", "choice_of"]


class Choice(NamedTuple):
    """One class chosen for each row, or all of them in an order."""

    scores: Any
    axis: Any
    chosen: Any
    falling: bool | None  # of an order, whether the largest comes first; None where one class was chosen


def choice_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Choice | None:
    """The choice that a call has made; None of a call that gives a number, as the largest of all."""
    scores: Any = args[0] if args else kwargs.get("input")
    if not isinstance(scores, torch.Tensor) or scores.ndim > 2:
        return None
    position = 2 if name == "topk" else 1
    axis: Any = kwargs.get("dim", kwargs.get("axis", args[position] if len(args) > position else None))
    chosen: Any = result
    if name in ("max", "min", "topk", "sort"):
        if isinstance(result, torch.Tensor) or isinstance(axis, torch.Tensor):
            return None  # the largest number, not its place
        chosen = result[1]
    ordered = name in ("topk", "sort", "argsort")
    if ordered:
        axis = -1 if axis is None else axis
    if isinstance(axis, int) and axis < 0:
        axis += scores.ndim
    if not ordered:
        return Choice(scores, axis, chosen, None)
    given = args[position + 1] if len(args) > position + 1 else name == "topk"
    return Choice(scores, axis, chosen, bool(kwargs.get("largest", kwargs.get("descending", given))))
