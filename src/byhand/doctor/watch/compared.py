"""Comparisons that the program writes as operators: of arrays, of lists, and of plain numbers one after another."""

from typing import Any, Final, final

import numpy as np

from byhand.doctor.place import Place
from byhand.doctor.watch.arrays import is_listed, is_numpy, is_tensor
from byhand.doctor.watch.evaluations import Evaluations
from byhand.doctor.watch.safe import unwatched
from byhand.doctor.watch.scalars import class_number

__all__ = ["Compared"]

_SCALARS: Final = 200_000  # comparisons of plain numbers that are kept in a row


@final
class Compared:
    """Tells the evaluations; plain numbers that are compared at one place in a row are one comparison."""

    def __init__(self, evaluations: Evaluations) -> None:
        self._evaluations = evaluations
        self._run: tuple[Place, list[Any], list[Any]] | None = None

    def note(self, place: Place, name: str, left: Any, right: Any, outcome: Any, *, told: bool) -> None:
        """A comparison with its outcome. ``told``: torch has told of it already."""
        if name not in ("==", "!="):
            if is_numpy(outcome):
                self._evaluations.divide(name, left, right, outcome, place)
                if name[0] == ">":
                    self._evaluations.coarse.note(left, outcome, place)
        elif is_numpy(left) or is_numpy(right):
            if is_numpy(outcome) and is_numpy(left) and is_numpy(right):
                self._evaluations.compare(name, left, right, outcome, place)
        elif isinstance(left, int | np.integer | float) and isinstance(right, int | np.integer | float):
            self._scalars(place, left, right)
        elif is_listed(left) and is_listed(right):
            self._lists(place, name, left, right)
        elif not told and (is_tensor(left) or is_tensor(right)):
            with unwatched():
                classes = class_number(left), class_number(right)
            if None not in classes:
                self._scalars(place, *classes)

    def flush(self) -> None:
        """Nothing is compared at that place for now."""
        run, self._run = self._run, None
        if run is not None and self._evaluations.predictions:
            self._evaluations.compare("==", np.array(run[1]), np.array(run[2]), None, run[0])

    def _scalars(self, place: Place, left: Any, right: Any) -> None:
        run = self._run
        if run is None or run[0] is not place or len(run[1]) >= _SCALARS:
            self.flush()
            run = self._run = (place, list[Any](), list[Any]())
        run[1].append(left)
        run[2].append(right)

    def _lists(self, place: Place, name: str, left: Any, right: Any) -> None:
        pair = [np.array(side) for side in (left, right) if side and type(side[0]) in (int, np.int64)]
        if len(pair) == 2:
            self._evaluations.compare(name, pair[0], pair[1], None, place)
