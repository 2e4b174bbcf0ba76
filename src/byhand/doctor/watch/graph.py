"""Autograd's graph of a loss: which forwards and which leaves it comes from."""

from typing import Any

import torch

from byhand.doctor.watch.kept import mark_of

__all__ = ["walk"]


def walk(loss: torch.Tensor) -> tuple[set[int], list[Any], list[int]]:
    """The forwards and the leaves that a loss's graph comes from, and the lines that hold parts of it."""
    marks: set[int] = set()
    kept: list[int] = []
    leaves: list[Any] = []
    seen: set[Any] = set()
    todo: list[Any] = [loss.grad_fn]
    while todo and len(seen) < 20_000:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if variable is not None:
            leaves.append(variable)
            continue
        mark = node.metadata.get("byhand")
        if mark is not None:
            marks.add(mark)
        line = mark_of(node)
        if line is not None:
            kept.append(line)
        todo.extend(following for following, _ in node.next_functions)
    return marks, leaves, kept
