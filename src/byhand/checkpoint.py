"""A run on the disk: a folder that says what was done, how it went, and what came out.

    run.json            settings, data, versions, results
    history.jsonl       a line an epoch
    model.safetensors   the weights
    times.json          how many seconds the run took, and each epoch
    state.safetensors   a state that a run under way can be taken up from
    state-2.safetensors another: the last two are kept, and each says which it is

Every file is written whole or not at all. There is no pickle. The states go when the run is over.

No two runs take the same time. So all times stand in a file of their own, and the others of a run that was left and
taken up again, as often as you like, are byte for byte those of a run that was not. ``read_run`` and ``read_history``
put the seconds back where they belong.
"""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict, cast

from torch import Tensor

from byhand import locks, weights
from byhand.errors import DataError, UsageError
from byhand.files import is_left, read_at_most, write_atomically
from byhand.json_form import fits
from byhand.json_text import json_text, parsed
from byhand.state import State

__all__ = [
    "change_run",
    "held",
    "new_run",
    "read_history",
    "read_run",
    "read_state",
    "read_weights",
    "remove_states",
    "write_history",
    "write_run",
    "write_state",
    "write_times",
    "write_weights",
]

_SCHEMA = "byhand.run/1"
_MOST_RECORD = 16 << 20  # bytes of run.json
_MOST_HISTORY = 256 << 20  # a million epochs have 130 MB
_SLOTS = ("state.safetensors", "state-2.safetensors")


class _Times(TypedDict):
    seconds: float
    epochs: list[float | None]


def new_run(out: str | Path | None = None) -> Path:
    """Make the folder of a new run: ``out``, or the next free ``runs/DATE-NUMBER`` of the working directory.

    Raises:
        UsageError: ``out`` holds something already.
        DataError: the folder cannot be made.
    """
    try:
        if out is not None:
            folder = Path(out)
            folder.mkdir(parents=True, exist_ok=True)
            _must_be_empty(folder)
            return folder
        runs = Path("runs")
        runs.mkdir(exist_ok=True)
        day, number = time.strftime("%Y-%m-%d"), 1
        while True:
            folder = runs / f"{day}-{number}"
            try:
                folder.mkdir()  # fails if another process was faster
                return folder
            except FileExistsError:
                number += 1
    except OSError as error:
        where = error.filename or out or "runs"
        raise DataError(f"cannot make the run's folder {where}: {error.strerror}; choose another with --out") from error


@contextmanager
def held(folder: Path, new: bool = False) -> Generator[None]:
    """Within, no other process trains in the folder. What a killed one was writing there is removed first.

    Args:
        folder: a run's.
        new: it must hold nothing yet.

    Raises:
        UsageError: it holds something.
        DataError: another process trains in it, or nothing can be written there.
    """
    with locks.held(folder):
        try:
            if new:
                _must_be_empty(folder)
            for file in [file for file in folder.iterdir() if is_left(file)]:
                file.unlink(missing_ok=True)
        except OSError as error:
            where = error.filename or folder
            raise DataError(f"cannot clear {where}: {error.strerror}; choose another folder") from error
        yield


def write_run(folder: Path, record: Mapping[str, object]) -> None:
    """Write ``run.json``: what a later command needs to know of the run. NaN and infinities become null.

    The seconds in it are left out: they are ``write_times``'s.

    Raises:
        DataError: the file cannot be written.
    """
    told = _timeless(record)
    if isinstance(results := told.get("results"), Mapping):
        told["results"] = _timeless(cast("Mapping[str, object]", results))
    text = json_text({"schema": _SCHEMA, **told}, indent=1)
    write_atomically(folder / "run.json", text.encode() + b"\n")


def change_run(folder: Path, changes: Mapping[str, object]) -> dict[str, Any]:
    """Write some fields of ``run.json`` anew and leave the others as they are by now; what it holds then.

    Raises:
        DataError: the file cannot be read or written.
    """
    record = read_run(folder) | dict(changes)
    write_run(folder, record)
    return record


def read_run(folder: str | Path) -> dict[str, Any]:
    """Read ``run.json``, with the seconds in their places: None where they are not known.

    Raises:
        DataError: there is none, or it is not one of byhand's.
    """
    path = Path(folder) / "run.json"
    try:
        record = parsed(read_at_most(path, _MOST_RECORD))
    except OSError as error:
        raise DataError(
            f"{folder} is not a run: {path.name} {error.strerror}; name a folder that train made"
        ) from error
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}; train again") from error
    if not isinstance(record, dict) or cast(dict[str, Any], record).get("schema") != _SCHEMA:
        raise DataError(f"{path} is not a run of byhand: its schema is not {_SCHEMA!r}; name a folder that train made")
    told = cast(dict[str, Any], record)
    total, seconds = _times(folder)
    told["seconds"] = total
    if isinstance(results := told.get("results"), dict):
        epoch = cast(dict[str, Any], results).get("epoch")
        results["seconds"] = seconds.get(epoch) if isinstance(epoch, int) else None
    return told


def write_history(folder: Path, history: Sequence[Mapping[str, float | None]]) -> None:
    """Write ``history.jsonl``, one epoch a line, without its seconds. NaN and infinities become null.

    Raises:
        DataError: the file cannot be written.
    """
    lines = "".join(json_text(_timeless(row)) + "\n" for row in history)
    write_atomically(folder / "history.jsonl", lines.encode())


def read_history(folder: str | Path) -> list[dict[str, float | None]]:
    """Read ``history.jsonl``: a dict an epoch, as ``Learner.history`` has them; seconds that are not known are None.

    Raises:
        DataError: it is missing or damaged.
    """
    path = Path(folder) / "history.jsonl"
    try:
        rows = [parsed(line) for line in read_at_most(path, _MOST_HISTORY).splitlines()]
        if not all(isinstance(row, dict) and "epoch" in row for row in rows):
            raise ValueError("a line is no epoch")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; name a folder that train made") from error
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}; train again") from error
    seconds = _times(folder)[1]
    return [cast("dict[str, float | None]", row) | {"seconds": seconds.get(i)} for i, row in enumerate(rows)]


def write_times(folder: Path, history: Sequence[Mapping[str, float | None]], seconds: float) -> None:
    """Write ``times.json``: the seconds of the run, and those of each epoch of its history.

    Raises:
        DataError: the file cannot be written.
    """
    text = json_text({"seconds": seconds, "epochs": [row.get("seconds") for row in history]})
    write_atomically(folder / "times.json", text.encode() + b"\n")


def write_weights(folder: Path, state: dict[str, Tensor]) -> None:
    """Write ``model.safetensors``.

    Raises:
        DataError: the file cannot be written.
    """
    weights.save(folder / "model.safetensors", state)


def read_weights(folder: str | Path) -> dict[str, Tensor]:
    """Read ``model.safetensors``, every bit as it was written.

    Raises:
        DataError: it is missing or damaged.
    """
    return weights.load_checked(Path(folder) / "model.safetensors")[0]


def write_state(folder: Path, state: State) -> None:
    """Write a state into the slot that does not hold the newest one; the two last states are there at any time.

    Raises:
        DataError: the file cannot be written.
    """
    numbers = [_number(folder / name) for name in _SLOTS]
    slot = _SLOTS[0] if numbers[0] <= numbers[1] else _SLOTS[1]
    about = {"number": str(max(numbers) + 1), "step": str(state.step), "history": json_text(state.history)}
    about["seconds"] = json_text(state.seconds)
    weights.save(folder / slot, state.tensors, about)


def read_state(folder: str | Path) -> tuple[State | None, list[str]]:
    """The newest state of a run that is whole, and a line for each newer one that is damaged; None where there is none.

    Raises:
        DataError: there are states, and none is whole.
    """
    found = sorted((file for name in _SLOTS if (file := Path(folder) / name).exists()), key=_number, reverse=True)
    damaged: list[str] = []
    for file in found:
        try:
            tensors, about = weights.load_checked(file)
            rows, seconds = _rows(about["history"]), _seconds(about["seconds"])
            return State(tensors, rows, _steps(about["step"]), seconds), damaged
        except DataError as error:
            damaged.append(str(error))
        except (KeyError, ValueError) as error:
            damaged.append(f"{file} is damaged: its texts are not those of a state ({error}); train again")
    if found:
        raise DataError(f"no state of {folder} can be taken up: {'; '.join(damaged)}")
    return None, []


def remove_states(folder: Path) -> None:
    """Remove the states of a run that is over.

    Raises:
        DataError: they cannot be removed.
    """
    try:
        for name in _SLOTS:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"cannot remove {error.filename}: {error.strerror}; remove it by hand") from error


def _steps(text: str) -> int:
    """A number of steps from the text of it; ValueError where it is none."""
    if not (text.isascii() and text.isdecimal() and fits(int(text), int)):
        raise ValueError("its number of steps is none")
    return int(text)


def _seconds(text: str) -> float:
    """A time from the text of it; ValueError where it is none."""
    seconds = parsed(text)
    if not fits(seconds, float) or seconds < 0:
        raise ValueError("its seconds are none")
    return float(seconds)


def _rows(text: str) -> list[dict[str, float | None]]:
    """A history from the text of it; ValueError where it is none."""
    rows = parsed(text)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast("list[object]", rows)):
        raise ValueError("its history is none")
    return cast("list[dict[str, float | None]]", rows)


def _number(file: Path) -> int:
    """Which state of the run a slot holds, by what it says of itself; -1 where it cannot be read."""
    try:
        return int(weights.texts(file)["number"])
    except (DataError, KeyError, ValueError):
        return -1


def _timeless(record: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in record.items() if name != "seconds"}


def _times(folder: str | Path) -> tuple[float | None, dict[int, float | None]]:
    """The seconds of a run, and those of its epochs by number. Nothing hangs on them: damaged ones are not known."""
    try:
        told: Any = parsed(read_at_most(Path(folder) / "times.json", _MOST_HISTORY))
    except (OSError, ValueError):
        return None, {}
    if not fits(told, _Times):
        return None, {}
    times: _Times = told
    return times["seconds"], dict(enumerate(times["epochs"]))


def _must_be_empty(folder: Path) -> None:
    if any(file.name != locks.LOCK and not is_left(file) for file in folder.iterdir()):
        raise UsageError(f"{folder} is not empty: name another folder with --out, so that nothing is lost")
