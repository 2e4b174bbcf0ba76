"""Sums and lists that hold autograd's graphs: ``total += loss``, ``losses.append(loss)``.

A graph lives as long as a tensor that came of it. What is added up in order to call ``backward()`` on it is held on
purpose: a pass that goes through more than one of the terms excuses them all.
"""

import weakref
from typing import Any, Final, final

from byhand.doctor.aside import Kept
from byhand.doctor.place import Place

__all__ = ["KeptGraphs", "mark_of"]

_MARK: Final = "byhand kept"
_NODES: Final = 5_000  # of a graph that is measured
_MEASURED: Final = (2, 3)  # rounds after which a sum's graph is measured: the difference is what one round adds
_LISTED: Final = 100_000  # values of a list that are followed


@final
class _Holder:
    """What one line of the program holds."""

    __slots__ = ("bytes", "excused", "forwards", "longest", "name", "nodes", "place", "run", "terms")

    def __init__(self, name: str, place: Place) -> None:
        self.name, self.place = name, place
        self.forwards = self.run = self.longest = self.nodes = self.bytes = 0
        self.excused = False
        self.terms: list[Any] = []  # weak references to what was appended


@final
class KeptGraphs:
    """All lines that hold graphs."""

    def __init__(self) -> None:
        self._holders: dict[int, _Holder] = {}

    def grown(self, k: int, name: str, value: Any, place: Place, forwards: int) -> None:
        """``name += ...`` or ``name = name + ...`` at the place of number ``k`` gave a tensor that may have a graph.

        ``forwards`` is how many there were so far: what one forward adds up inside is no sum over rounds.
        """
        node = value.grad_fn
        if node is None:
            return
        holder = self._holders.setdefault(k, _Holder(name, place))
        if holder.excused:
            return
        before = [inner for inner, _ in node.next_functions if inner is not None]
        goes_on = len(before) > 1 and any(inner.metadata.get(_MARK) == k for inner in before)
        node.metadata[_MARK] = k
        holder.excused, holder.forwards = goes_on and holder.forwards == forwards, forwards
        holder.run = holder.run + 1 if goes_on else 1
        holder.longest = max(holder.longest, holder.run)
        if holder.run in _MEASURED and holder.longest == holder.run:
            nodes, size = _measure(node)
            holder.nodes, holder.bytes = nodes - holder.nodes, size - holder.bytes

    def listed(self, k: int, value: Any, place: Place) -> None:
        """A tensor with a graph is appended to a list."""
        holder = self._holders.setdefault(k, _Holder("", place))
        if holder.excused or value.grad_fn is None or len(holder.terms) >= _LISTED:
            return
        value.grad_fn.metadata[_MARK] = k
        holder.terms.append(weakref.ref(value))
        n = len(holder.terms)
        if n & (n - 1) == 0:
            self._count(holder)
            n = len(holder.terms)
        if n == _MEASURED[0]:
            first = holder.terms[0]()
            if first is not None and first.grad_fn is not None:
                holder.nodes, holder.bytes = _measure(first.grad_fn)

    def passed(self, loss: Any, marks: list[int]) -> None:
        """A backward pass goes through nodes with these marks, or through the loss's own where no graph was walked."""
        own = loss.grad_fn.metadata.get(_MARK) if loss.grad_fn is not None else None
        for k in {*marks, *(() if own is None else (own,))}:
            holder = self._holders.get(k)
            if holder is not None and (holder.name or marks.count(k) > 1):
                holder.excused = True

    def seen(self) -> list[Kept]:
        """What was held without being used."""
        for holder in self._holders.values():
            self._count(holder)
        return [
            Kept(one.name, one.place, one.longest, one.nodes, one.bytes)
            for one in self._holders.values()
            if not one.excused and one.longest > 1
        ]

    def _count(self, holder: _Holder) -> None:
        if not holder.name:
            holder.terms = [ref for ref in holder.terms if ref() is not None]
            holder.longest = max(holder.longest, len(holder.terms))


def mark_of(node: Any) -> int | None:
    """The number of the line that holds what a node of a graph gave; None where none does."""
    return node.metadata.get(_MARK)


def _measure(root: Any) -> tuple[int, int]:
    """The nodes of a graph, leaves left out, and the bytes of the tensors that they hold, parameters left out."""
    seen: set[Any] = set()
    held: dict[int, int] = {}
    leaves: set[int] = set()
    todo = [root]
    while todo and len(seen) < _NODES:
        node = todo.pop()
        if node is None or node in seen:
            continue
        variable = getattr(node, "variable", None)
        if variable is not None:
            leaves.add(variable.untyped_storage().data_ptr())
            continue
        seen.add(node)
        for name in dir(node):
            tensor = _saved(node, name) if name.startswith("_saved_") else None
            if tensor is not None:
                storage = tensor.untyped_storage()
                held[storage.data_ptr()] = storage.nbytes()
        todo += [inner for inner, _ in node.next_functions]
    return len(seen), sum(size for where, size in held.items() if where not in leaves)


def _saved(node: Any, name: str) -> Any:
    try:
        value = getattr(node, name)
    except RuntimeError:  # a backward pass has freed it
        return None
    return value if hasattr(value, "untyped_storage") else None
