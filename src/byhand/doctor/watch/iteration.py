"""One iteration, gone through in a branch: the numbers it computes, the gradients and activations, the update.

What it found goes to the run that the branch left as bytes: arrays, and a description in JSON.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.place import Place
from byhand.doctor.watch.activations import Activations
from byhand.doctor.watch.arrays import is_float, is_numpy
from byhand.doctor.watch.computed import Key, Scalars
from byhand.doctor.watch.finite_differences import labels_of
from byhand.doctor.watch.hooks import Hooks
from byhand.doctor.watch.listening import on_result, on_scalars, on_update
from byhand.doctor.watch.products import Products
from byhand.doctor.watch.recorder import Recorder

__all__ = ["Iteration", "Made", "Seen"]

_EACH: Final = 80  # arrays of one shape that are kept
_ROOM: Final = 20_000_000  # elements of all arrays that are kept

Array = NDArray[np.float64]
_NONE: Final[Array] = np.zeros(0)
Shape = tuple[int, ...]


@final
@dataclass(frozen=True, slots=True)
class Made:
    """An array that was made, in the shape of a parameter; ``values`` as they were when it was made."""

    k: int  # the position of its place
    inputs: tuple[int, ...]  # of the same shape, positions in the same list
    fresh: bool  # made of arrays of other shapes
    sources: tuple[int, ...]  # the positions of the places where those were made
    time: int
    old: bool  # something of its shape from before the iteration went into it: a momentum, the parameter itself
    values: Array
    total: Array  # the sum of all that was made at its place, from the first on


@final
@dataclass(frozen=True, slots=True)
class _Kept:
    k: int
    inputs: tuple[int, ...]
    fresh: bool
    sources: tuple[int, ...]
    time: int
    old: bool
    values: Array
    array: Any  # itself, so that its id stays its own


@final
@dataclass(frozen=True, slots=True)
class Seen:
    """What an iteration did. Parameters are named by the numbers that the caller gave them."""

    keys: tuple[Key, ...]
    last: Array  # (S,)
    sums: Array  # (S,)
    names: Mapping[Key, str]
    made: Mapping[int, tuple[Made, ...]]  # before the parameter's update
    taken: Mapping[int, Array]  # what the update took away; zeros where there was none
    updates: Mapping[int, Place]  # where a parameter's first update stands
    times: Mapping[int, int]  # operations before it
    rows: int
    single_rows: int  # different ones that went through the model one by one
    activations: Activations
    products: Products

    @classmethod
    def read(cls, message: bytes, arrays: Mapping[int, Any]) -> "Seen":
        """What ``Iteration.tell`` told of these parameters."""
        with np.load(io.BytesIO(message), allow_pickle=False) as file:
            kept = {name: file[name] for name in file.files}
        text = json.loads(kept.pop("text").tobytes())
        groups: list[list[Made]] = [
            [
                Made(k, tuple(inputs), fresh, tuple(sources), time, old, kept[f"made {g} {i}"], kept[f"total {g} {k}"])
                for i, (k, inputs, fresh, sources, time, old) in enumerate(group)
            ]
            for g, group in enumerate(text["made"])
        ]
        before: list[tuple[int, int]] = text["before"]
        made = {number: tuple(groups[group][:count]) for number, (group, count) in zip(arrays, before, strict=True)}
        return cls(
            tuple((k, assumed) for k, assumed in text["keys"]),
            kept["last"],
            kept["sums"],
            {(k, assumed): name for k, assumed, name in text["names"]},
            made,
            {number: kept[f"taken {number}"] for number in arrays},
            {number: Place(*place) for number, place, _ in text["updates"]},
            {number: time for number, _, time in text["updates"]},
            text["rows"],
            text["single rows"],
            Activations.read(text["sites"], kept),
            Products.read(text["products"], kept, arrays),
        )


@final
@dataclass
class Iteration:
    """Listens from now on, in this process.

    Args:
        hooks: of the run.
        recorder: of the run.
        arrays: the parameters.
        slots: those of them that the recorder knows as parameters, by its number.
    """

    hooks: Hooks
    recorder: Recorder
    arrays: Mapping[int, Any]
    slots: Mapping[int, int]
    _scalars: Scalars = field(default_factory=Scalars)
    _activations: Activations = field(default_factory=Activations)
    _made: dict[Shape, list[_Kept]] = field(default_factory=dict[Shape, list[_Kept]])
    _index: dict[int, tuple[Shape, int]] = field(default_factory=dict[int, tuple[Shape, int]])  # by id of an array
    _maker: dict[int, int] = field(default_factory=dict[int, int])  # by id: the position of the place that made it
    _settled: set[Shape] = field(default_factory=set[Shape])  # all parameters of this shape are updated
    _before: dict[int, int] = field(default_factory=dict[int, int])  # arrays of its shape before its update
    _updates: dict[int, tuple[Place, int]] = field(default_factory=dict[int, tuple[Place, int]])
    _totals: dict[tuple[int, Shape], Array] = field(default_factory=dict[tuple[int, Shape], Array])  # by place
    _room: int = _ROOM
    _time: int = 0

    def __post_init__(self) -> None:
        self._start = {number: np.array(array, np.float64) for number, array in self.arrays.items()}
        self._made = {_shape(array): [] for array in self.arrays.values()}
        self._own = list(self.arrays.values())
        self._products = Products(self.arrays)
        self._forwards = len(self.recorder.forwards.drafts)
        on_result(self.hooks, self._result)
        on_scalars(self.hooks, self._scalar)
        on_update(self.recorder, self._updated)

    def _scalar(self, k: int, value: Any, name: str) -> None:
        with self.recorder.safe:
            self._scalars.note(k, value, name)
            if name and is_numpy(value):
                self._name(k, value)

    def _result(self, k: int, name: str, operands: tuple[Any, ...], result: Any) -> None:
        with self.recorder.safe:
            self._time += 1
            self._scalars.share(k, name, result)
            if name == "sub" and not any(value is one for value in operands for one in self._own):
                self._scalars.differ(k, *operands[:2])
            sources = tuple(self._maker[id(value)] for value in operands if id(value) in self._maker)
            number: Any = result
            if is_numpy(result):
                self._maker[id(result)] = sources[0] if name == "transpose" and sources else k
                self._activations.note(k, name, operands, result)
                self._products.note(k, name, operands)
                self._make(k, name, operands, result, sources)
            elif isinstance(number, np.floating) and any(is_numpy(value) and value.size > 1 for value in operands):
                for shape in self._made:
                    if len(shape) == 1:
                        self._add(
                            shape,
                            np.full(shape, float(cast("Any", number))),
                            _Kept(k, (), True, sources, self._time, False, _NONE, result),
                        )

    def _make(self, k: int, name: str, operands: tuple[Any, ...], result: Any, sources: tuple[int, ...]) -> None:
        shape = _shape(result)
        if shape in self._made and is_float(result) and self.recorder.lineage.parameters.held(result) is None:
            known = [self._index.get(id(value)) for value in operands]
            fresh = name == "matmul" or any(  # a product is new, though a batch may be as long as a layer is wide
                is_numpy(value) and value.size > 1 and _shape(value) != shape for value in operands
            )
            inputs = tuple(one[1] for one in known if one and one[0] == shape)
            added = self._own if name == "add" else []  # a bias, in a forward
            old = any(
                is_numpy(x) and _shape(x) == shape and id(x) not in self._maker and x.any()
                for x in operands
                if not any(x is one for one in added)
            )
            self._add(shape, result, _Kept(k, inputs, fresh, sources if fresh else (), self._time, old, _NONE, result))

    def _name(self, k: int, value: Any) -> None:
        """An array has a name now, or was changed where it stands."""
        shape = _shape(value)
        if shape not in self._made or not is_float(value) or self.recorder.lineage.parameters.held(value) is not None:
            return
        known = self._index.get(id(value))
        if known and np.array_equal(self._made[shape][known[1]].values.ravel(), value.ravel()):
            return
        old = known is None and id(value) not in self._maker and bool(value.any())
        self._add(shape, value, _Kept(k, (known[1],) if known else (), False, (), self._time, old, _NONE, value))

    def _add(self, shape: Shape, value: Any, kept: _Kept) -> None:
        group = self._made[shape]
        if shape in self._settled:
            return
        values = np.array(value, np.float64).reshape(shape)
        total = self._totals.get((kept.k, shape))
        self._totals[kept.k, shape] = values.copy() if total is None else total + values
        if len(group) < _EACH and self._room < value.size:
            return
        if len(group) == _EACH:  # the newest are those that an update is made of
            self._index.pop(id(group[0].array), None)
            self._index = {key: (s, i - (s == shape)) for key, (s, i) in self._index.items()}
            group[:] = [replace(one, inputs=tuple(i - 1 for i in one.inputs if i > 0)) for one in group[1:]]
            self._before = {n: i - (_shape(self.arrays[n]) == shape) for n, i in self._before.items()}
            kept = replace(kept, inputs=tuple(i - 1 for i in kept.inputs if i > 0))
        else:
            self._room -= value.size
        group.append(replace(kept, values=values))
        self._index[id(kept.array)] = shape, len(group) - 1

    def _updated(self, name: str, old: Any, new: Any, place: Any) -> None:
        with self.recorder.safe:
            slot = self.recorder.lineage.parameters.held(new)
            for number, index in self.slots.items():
                if slot is not None and index == slot.index and number not in self._updates:
                    self._updates[number] = place, self._time
                    self._before[number] = len(self._made[_shape(new)])
                    if all(n in self._updates for n in self.slots if _shape(self.arrays[n]) == _shape(new)):
                        self._settled.add(_shape(new))

    def tell(self) -> bytes:
        """All that was seen, for ``Seen.read``."""
        current = {slot.index: slot.current() for slot in self.recorder.lineage.parameters.slots}
        arrays: dict[str, Any] = {}
        for number, start in self._start.items():
            now = current.get(self.slots[number]) if number in self.slots else self.arrays[number]
            moved = now is not None and now.shape == start.shape
            arrays[f"taken {number}"] = start - now if now is not None and moved else np.zeros(start.shape)
        self._scalars.label(labels_of(self.recorder, self._forwards))
        drafts = self.recorder.forwards.drafts[self._forwards :]
        trained = [draft.n for draft in drafts if draft.kind == "train"] or [draft.n for draft in drafts]
        rows = max(trained) if max(trained, default=0) > 1 else len(trained)
        keys = self._scalars.keys(rows)
        arrays["last"] = np.array([self._scalars.last[key] for key in keys])
        arrays["sums"] = np.array([self._scalars.sums[key] for key in keys])
        groups = list(self._made)
        for g, shape in enumerate(groups):
            arrays.update({f"made {g} {i}": one.values for i, one in enumerate(self._made[shape])})
            arrays.update({f"total {g} {one.k}": self._totals[one.k, shape] for one in self._made[shape]})
        sites, numbers = self._activations.plain()
        products, others = self._products.plain()
        description = {
            "keys": keys,
            "names": [[*key, name] for key, name in self._scalars.names.items()],
            "made": [
                [[one.k, one.inputs, one.fresh, one.sources, one.time, one.old] for one in self._made[shape]]
                for shape in groups
            ],
            "before": [
                [groups.index(_shape(array)), self._before.get(number, len(self._made[_shape(array)]))]
                for number, array in self.arrays.items()
            ],
            "updates": [[number, list(place), time] for number, (place, time) in self._updates.items()],
            "rows": rows,
            "single rows": len({draft.rows.tobytes() for draft in drafts}) if all(d.n == 1 for d in drafts) else 0,
            "sites": sites,
            "products": products,
        }
        buffer = io.BytesIO()
        arrays.update(numbers | others, text=np.frombuffer(json.dumps(description).encode(), np.uint8))
        np.savez(buffer, **arrays)
        return buffer.getvalue()


def _shape(array: Any) -> Shape:
    """Without axes of length 1: a bias may be (n,), (1, n) or (n, 1)."""
    return tuple(int(n) for n in array.shape if n != 1)
