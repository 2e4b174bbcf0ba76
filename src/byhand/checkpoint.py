"""A run on the disk: a folder that says what was done, how it went, and what came out.

    run.json            settings, data, versions, results
    history.jsonl       a line an epoch
    model.safetensors   the weights
    state.safetensors   a state that a run under way can be taken up from
    state-2.safetensors another: the last two are kept, and each says which it is

Every file is written whole or not at all. There is no pickle.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from byhand import weights
from byhand.errors import DataError, UsageError
from byhand.files import read_at_most, write_atomically
from byhand.json_text import json_text, parsed
from byhand.state import State

__all__ = [
    "new_run",
    "read_history",
    "read_run",
    "read_state",
    "read_weights",
    "remove_states",
    "write_history",
    "write_run",
    "write_state",
    "write_weights",
]

_SCHEMA = "byhand.run/1"
_MOST_RECORD = 16 << 20  # bytes of run.json
_MOST_HISTORY = 256 << 20  # a million epochs have 130 MB
_SLOTS = ("state.safetensors", "state-2.safetensors")


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
            if any(folder.iterdir()):
                raise UsageError(f"{folder} is not empty: name another folder with --out, so that nothing is lost")
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


def write_run(folder: Path, record: Mapping[str, object]) -> None:
    """Write ``run.json``: what a later command needs to know of the run. NaN and infinities become null.

    Raises:
        DataError: the file cannot be written.
    """
    text = json_text({"schema": _SCHEMA, **record}, indent=1)
    write_atomically(folder / "run.json", text.encode() + b"\n")


def read_run(folder: str | Path) -> dict[str, Any]:
    """Read ``run.json``.

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
    return cast(dict[str, Any], record)


def write_history(folder: Path, history: Sequence[Mapping[str, float | None]]) -> None:
    """Write ``history.jsonl``, one epoch a line. NaN and infinities become null.

    Raises:
        DataError: the file cannot be written.
    """
    lines = "".join(json_text(row) + "\n" for row in history)
    write_atomically(folder / "history.jsonl", lines.encode())


def read_history(folder: str | Path) -> list[dict[str, float | None]]:
    """Read ``history.jsonl``: a dict an epoch, as ``Learner.history`` has them.

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
    return rows


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
            return State(tensors, _rows(about["history"]), _steps(about["step"])), damaged
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
    if not (text.isascii() and text.isdecimal()):
        raise ValueError("its number of steps is none")
    return int(text)


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
