"""Uses of the model: where rows meet a parameter a forward begins, and an update tells which of them was for training.

Autograd's parameters are known by themselves. In a program that derives its gradients by hand they show when they are
first updated; the products from before that are kept, and gone through then.
"""

import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, final

import numpy as np

from byhand.doctor.place import Place
from byhand.doctor.watch.arrays import as_numpy, is_float, is_numpy, length, pointer, summarize
from byhand.doctor.watch.drafts import NONE, ForwardDraft, Slot
from byhand.doctor.watch.frames import Frames
from byhand.doctor.watch.labels import Labels
from byhand.doctor.watch.lineage import Lineage
from byhand.doctor.watch.rows import Collector, fingerprints
from byhand.doctor.watch.samples import Samples
from byhand.doctor.watch.taping import TapeRecorder

__all__ = ["Forwards"]

_MOST: Final = 60_000  # forwards; as many again where autograd does not record, as in the evaluation at the end
_OPEN: Final = 64  # forwards whose rows are held until their kind is settled
_ROWS: Final = 4_000_000  # rows that keep their fingerprint; of those that come later, only judged ones do
_MOST_ROWS: Final = 40_000_000  # rows that are given a fingerprint
_PENDING: Final = 512  # products before it is known what is trained
_WAITING: Final = 4096
_STRANGERS: Final = 64  # operands of which nothing was known, after something is trained already


class _Product(NamedTuple):
    """A product from before it was known what is trained."""

    event: int
    clock: int
    left: Any
    right: Any
    roles: tuple[str, str]
    stack: tuple[Place, ...]
    labels: tuple[Any, Any]  # the newest with a name, as many as the left side has rows, the right side columns


@final
class Forwards:
    """All forwards so far, the one that goes on, and the clock."""

    def __init__(self, frames: Frames, lineage: Lineage, labels: Labels, tape: TapeRecorder, samples: Samples) -> None:
        self.clock = 0  # updates so far
        self.event = 0  # rounds of loops and products so far
        self.drafts: list[ForwardDraft] = []
        self.current: ForwardDraft | None = None
        self.waiting: list[ForwardDraft] = []  # since the last backward pass or update
        self.late: list[tuple[int, ForwardDraft]] = []  # forwards that were found afterwards, and when they began
        self.trained, self.evaluated = Collector(), Collector()
        self._frames, self._lineage, self._labels = frames, lineage, labels
        self._tape, self._samples = tape, samples
        self._open: deque[ForwardDraft] = deque()
        self._pending: deque[_Product] = deque(maxlen=_PENDING)
        self._strangers: deque[weakref.ref[Any]] = deque(maxlen=_STRANGERS)
        self._burst = False  # between the first update after a forward and the next forward
        self._fingerprinted = 0
        self._given = -1  # forwards before parameters were last given back
        self._met = 0  # when two arrays of which nothing is known were last multiplied

    def product(self, name: str, left: Any, right: Any) -> bool:
        """A product of two arrays is about to be computed. Rows times a parameter begin a forward.

        Returns:
            Whether it is not known yet what is trained; its result then counts as derived from rows.
        """
        roles = self._lineage.role(left), self._lineage.role(right)
        if not self._lineage.parameters.slots:
            self.event += 1
            self._labels.event = self.event
            named = self._labels.newest(length(left)), self._labels.newest(right.shape[-1] if right.ndim else 0)
            self._pending.append(_Product(self.event, self.clock, left, right, roles, self._frames.stack(), named))
            if roles != ("data", "data"):
                return False
            self._met = self._lineage.now()
            self._tape.begin_trial(self.event)
            return True
        if roles[0] == "data" and roles[1] in ("parameter", "made"):
            self.use(right)
            self.begin(left, 0, right)
        elif roles[1] == "data" and roles[0] in ("parameter", "made"):
            self.use(left)
            self.begin(right, right.ndim - 1 if name == "matmul" else 0, left)
        elif "parameter" in roles:
            self.use(left if roles[0] == "parameter" else right)
        elif "data" in roles and "derived" in roles and self.waiting:
            self._gradient_product(left if roles[0] == "data" else right)
        elif roles == ("data", "data") and is_numpy(left) and is_numpy(right):
            self._strangers += (weakref.ref(left), weakref.ref(right))
            if self._is_alike(left) or self._is_alike(right):
                self.settle()  # another model begins: what is chosen or updated next is not the last one's
                self.current = ForwardDraft(-1, -1, 0, (), True)
        return False

    def use(self, array: Any) -> None:
        """An array takes part in a forward."""
        slot = self._lineage.parameters.find(array)
        if slot is not None:
            slot.used = True

    def _gradient_product(self, data: Any) -> None:
        """Rows times something derived: in a backward pass by hand this tells which forward it belongs to."""
        where = pointer(data)
        for draft in reversed(self.waiting):
            if draft.operand == where:
                draft.kind = "train"
                return

    def begin(self, data: Any, axis: int, parameter: Any, stack: tuple[Place, ...] | None = None) -> None:
        """Rows go into the model: along axis 0, or the last one where samples are columns, or as a layer takes them."""
        if data.ndim == 0 or not (is_float(data) or is_numpy(data)):  # NumPy multiplies whole numbers by weights too
            return
        draft = self.current
        where = pointer(data)
        n = 1 if data.ndim == 1 else int(data.shape[axis])
        values = as_numpy(data)
        if values is None:
            return
        table = values.reshape(1, -1) if values.ndim == 1 else np.moveaxis(values, axis, 0).reshape(n, -1)
        if self._fingerprinted < _MOST_ROWS and table.size:
            self._fingerprinted += n
            prints = fingerprints(table)  # (N,)
        else:
            prints = NONE
        slot = self._lineage.parameters.find(parameter)
        again = draft is not None and draft.clock == self.clock and not self._burst and draft.operand == where
        if (
            draft is not None
            and again
            and not self._is_other(draft, slot)
            and len(prints)
            and np.array_equal(draft.rows, prints)
        ):
            return
        self.settle()
        late = stack is not None
        stack = self._frames.stack() if stack is None else stack
        draft = ForwardDraft(len(self.drafts), self.clock, n, stack, _grad(data))
        draft.rows, draft.operand = prints, where
        draft.shape = tuple(int(k) for i, k in enumerate(data.shape) if data.ndim == 1 or i != axis)
        draft.values, draft.columns = table, bool(axis)
        draft.training = slot.index if slot is not None else None  # the slot for now; see build
        if len(self.drafts) < 300 or len(self.drafts) % 50 == 0:
            draft.input = summarize(values)
        self._labels.begin(draft)
        if len(self.drafts) < (_MOST if draft.grad else 2 * _MOST):
            self.drafts.append(draft)
        self.current = draft
        self._open.append(draft)
        self.waiting.append(draft)
        if len(self.waiting) > 4096:
            del self.waiting[:2048]
        while len(self._open) > _OPEN:
            self._close(self._open.popleft())
        if not late:
            self._tape.begin(draft)
            self._samples.before()

    def _is_other(self, draft: ForwardDraft, slot: Slot | None) -> bool:
        """Whether a parameter belongs to another model than the one of a forward."""
        if slot is None or draft.training is None:
            return False
        mine = self._lineage.parameters.slots[draft.training].training
        return mine is not None and slot.training is not None and mine != slot.training

    def settle(self) -> None:
        """The burst of updates is over: look at what it did."""
        if self._burst:
            self._burst = False
            self._samples.after(self.clock - 1)
            while self._open:
                self._close(self._open.popleft())

    def _close(self, draft: ForwardDraft) -> None:
        self._labels.finish(draft)
        if draft.values is not None and len(draft.rows):
            target = self.trained if draft.kind == "train" else self.evaluated
            target.add(draft.values, draft.rows, draft.labels, draft.shape)
        draft.values = None
        if self._fingerprinted > _ROWS and draft.kind == "train":
            draft.rows = NONE

    def resolve(self) -> None:
        """What is trained has become known: go back to the products that came before."""
        products, self._pending = list(self._pending), deque[_Product](maxlen=_PENDING)
        self._lineage.forget()
        first = len(self.drafts)
        found: list[tuple[int, ForwardDraft, Any]] = []
        clock, burst, self._burst = self.clock, self._burst, False
        for product in products:
            known = [self._lineage.parameters.find(side) is not None for side in (product.left, product.right)]
            if known == [False, True] and product.roles[0] == "data":
                found += self._begin_late(product, product.left, 0, product.right, product.labels[0])
            elif known == [True, False] and product.roles[1] == "data":
                axis = product.right.ndim - 1
                found += self._begin_late(product, product.right, axis, product.left, product.labels[1])
            elif known == [False, False] and set(product.roles) == {"data", "derived"}:
                self._gradient_product(product.left if product.roles[0] == "data" else product.right)
        late = self.drafts[first:]
        if late and not any(draft.kind == "train" for draft in late):
            late[-1].kind = "train"
        for k, (event, draft, named) in enumerate(found):
            self._labels.claim(draft, event, found[k + 1][0] if k + 1 < len(found) else self.event + 1, named)
        self._tape.adopt((event, draft) for event, draft, _ in found)
        self.waiting.clear()
        self.clock, self._burst = clock, burst

    def _begin_late(
        self, product: _Product, data: Any, axis: int, parameter: Any, named: Any
    ) -> list[tuple[int, ForwardDraft, Any]]:
        before, self.clock = self.current, product.clock
        self.begin(data, axis, parameter, product.stack)
        if self.current is before or self.current is None:
            return []
        self.late.append((product.event, self.current))
        return [(product.event, self.current, named)]

    def is_pending(self, array: Any) -> bool:
        """Whether an array, or its transpose, was an operand before it was known what is trained.

        Later on, one that is made like a parameter counts: a program may train another model, with another rate.
        """
        for side in (side for product in self._pending for side in (product.left, product.right)):
            if side is array or (side.shape == array.shape[::-1] and pointer(side) == pointer(array)):
                return True
        return self._is_alike(array) and any(ref() is array for ref in self._strangers)

    def is_like_pending(self, array: Any) -> bool:
        """Whether a table is as wide as one that was multiplied before that; samples may stand in columns."""
        pairs = [(one.left.shape, one.right.shape) for one in self._pending]
        return any(left[1:] == array.shape[1:] or right[:1] == array.shape[:1] for left, right in pairs)

    def _is_alike(self, array: Any) -> bool:
        """Whether a parameter has this shape."""
        return any(slot.shape == array.shape for slot in self._lineage.parameters.slots)

    @property
    def updating(self) -> bool:
        """Whether parameters are being updated: no forward has begun since the last update."""
        return self._burst

    def updated(self, *, anew: bool = False) -> bool:
        """A parameter was updated, ``anew`` for the first time; whether it is the first one since the last forward."""
        if self._burst:
            return False
        self._burst = True
        self.clock += 1
        if anew:
            self.waiting = [draft for draft in self.waiting if draft.kind == "train" or not self._has_learnt(draft)]
        if self.waiting and not any(draft.kind == "train" for draft in self.waiting):
            self.waiting[-1].kind = "train"
        for draft in self.waiting[-_OPEN:]:
            self._labels.finish(draft)  # before the next batch's labels get their name
        self.waiting.clear()
        return True

    def _has_learnt(self, draft: ForwardDraft) -> bool:
        """Whether a forward is of a model that was updated before: what is updated for the first time is another."""
        slot = None if draft.training is None else self._lineage.parameters.slots[draft.training]
        return slot is not None and slot.training is not None

    def restored(self) -> None:
        """Parameters were given values that are kept, as by load_state_dict: other weights, and nothing was learnt."""
        if self._given != len(self.drafts):
            self._given = len(self.drafts)
            self.clock += 1
            self.waiting.clear()

    def round(self, key: int, entered: Callable[[int], int]) -> None:
        """A round of the loop of this key begins; ``entered`` tells when the loop did."""
        self.event += 1
        if self._pending and self._lineage.parameters.slots and entered(key) <= self._met:
            self.resolve()  # not within a loop of the update's own, over layers: more parameters are to come
        if self._burst:
            self._tape.end()

    def close(self) -> None:
        """The run is over."""
        if self._pending and self._lineage.parameters.slots:
            self.resolve()
        self.settle()
        while self._open:
            self._close(self._open.popleft())
        self._tape.end()


def _grad(data: Any) -> bool:
    if is_numpy(data):
        return True
    import torch

    return torch.is_grad_enabled()
