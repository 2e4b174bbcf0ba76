"""The readers of runs: weights and states beside what was written, records beside Python's own JSON."""

import hashlib
import json
import math
import struct
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from byhand import checkpoint, weights
from byhand.data.dataset import Dataset, Part
from byhand.errors import ByhandError, DataError
from byhand.runs import load_run, resume
from byhand.settings import Settings
from byhand.state import State
from tests.fuzz import bombs
from tests.fuzz.judge import Reader
from tests.fuzz.read_data import put

__all__ = ["READERS"]

_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1"}
_TYPES |= {"BOOL": "?", "U16": "<u2", "U32": "<u4", "U64": "<u8"}
CAP = 256 << 20  # of the readers of what a run keeps, for files as small as those that are broken here


def tensors() -> dict[str, Tensor]:
    return {"model.0.weight": torch.arange(15.0).reshape(3, 5), "random.torch": torch.arange(16, dtype=torch.uint8)}


def written(save: Callable[[Path], object], name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder))
        return (Path(folder) / name).read_bytes()


@cache
def sound_weights() -> bytes:
    return written(lambda folder: weights.save(folder / "w", tensors(), {"step": "3", "ü": "\n"}), "w")


@cache
def state(number: int) -> State:
    return State(tensors() | {"n": torch.tensor(number)}, [{"epoch": 0, "train_loss": 0.3, "valid_loss": None}], number)


@cache
def sound_state() -> bytes:
    """The third state of a run: it lies in the slot where the first one lay."""

    def save(folder: Path) -> None:
        for number in (1, 2, 3):
            checkpoint.write_state(folder, state(number))

    return written(save, "state.safetensors")


@cache
def older_state() -> bytes:
    def save(folder: Path) -> None:
        for number in (1, 2):
            checkpoint.write_state(folder, state(number))

    return written(save, "state-2.safetensors")


def equal(found: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return found.keys() == right.keys() and all(
        found[name].dtype == right[name].dtype and torch.equal(found[name], right[name]) for name in right
    )


def expected_tensors(content: bytes) -> dict[str, tuple[str, list[int], bytes]]:
    """The tensors of a safetensors file by its description: type, shape and bytes of each."""
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    header.pop("__metadata__", None)
    assert sorted(at for one in header.values() for at in one["data_offsets"])[-1:] in ([], [len(data)])
    return {name: (one["dtype"], one["shape"], data[slice(*one["data_offsets"])]) for name, one in header.items()}


def check_any_weights(folder: Path, content: bytes) -> None:
    found, right = weights.load(put(folder / "w.safetensors", content)), expected_tensors(content)
    assert found.keys() == right.keys()
    for name, (kind, shape, data) in right.items():
        assert list(found[name].shape) == shape
        if kind in _TYPES:
            numbers = np.frombuffer(data, _TYPES[kind]).reshape(shape)
            assert np.array_equal(found[name].numpy(), numbers, equal_nan=kind.startswith("F"))


def check_weights(folder: Path, content: bytes) -> None:
    found, about = weights.load_checked(put(folder / "w.safetensors", content))
    assert equal(found, tensors())
    assert about == {"step": "3", "ü": "\n"}


def check_crafted(folder: Path, content: bytes) -> None:
    """The entry that holds the checksums is broken by somebody who then computes the checksum of it all anew."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict):
        told.pop("all", None)
        told["all"] = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        content = json.dumps(told).encode()
    entry = content.decode("utf-8", "replace")
    import safetensors.torch

    put(folder / "state-2.safetensors", older_state())
    put(folder / "state.safetensors", safetensors.torch.save(state(3).tensors, {"byhand": entry}))
    found, damaged = checkpoint.read_state(folder)
    assert found is not None
    if damaged:
        assert same_state(found, state(2)), "neither state"
        raise DataError(damaged[0])
    assert equal(found.tensors, state(3).tensors) or equal(found.tensors, state(2).tensors)
    assert isinstance(found.step, int)
    assert found.step >= 0
    assert all(isinstance(row, dict) for row in found.history)


def sound_entry() -> bytes:
    content = sound_state()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length])["__metadata__"]["byhand"].encode()


def same_state(found: State, right: State) -> bool:
    return equal(found.tensors, right.tensors) and (found.history, found.step) == (right.history, right.step)


def check_state(folder: Path, content: bytes) -> None:
    put(folder / "state-2.safetensors", older_state())
    put(folder / "state.safetensors", content)
    found, damaged = checkpoint.read_state(folder)
    assert found is not None
    if same_state(found, state(3)):
        assert damaged == []
        return
    assert same_state(found, state(2)), "neither state"
    # What cannot even say its number counts as the oldest, and is not needed.
    raise DataError(damaged[0] if damaged else f"{folder}: the damaged one was not needed")


# Records


@cache
def data() -> Dataset:
    images = (np.arange(12 * 9, dtype=np.uint8) * 37).reshape(12, 3, 3)
    part = Part(images, np.arange(12) % 3, ("a", "b", "ü"), "0" * 64)
    return Dataset("some", part, part, part, part.classes, "f" * 64)


@cache
def record() -> dict[str, Any]:
    settings = Settings(model="mlp", hidden=(2,), epochs=3, lr=0.5, dropout=0.5).resolved()
    about = {"source": "some", "hash": data().hash, "classes": list(data().classes), "shape": [3, 3]}
    about |= {"train": 12, "valid": 12, "test": 12, "ink_box": None}
    told = {"status": "running", "settings": asdict(settings), "data": about, "lr": 0.5, "seconds": 1.0}
    return told | {"stopped": False, "threads": 1, "device": "cpu", "test_openings": 0, "results": {"epoch": 1}}


@cache
def sound_run() -> bytes:
    return written(lambda folder: checkpoint.write_run(folder, record()), "run.json")


@cache
def model() -> bytes:
    from byhand.networks import build_model

    made = build_model(Settings.of(record()), 9, 3)
    return written(lambda folder: checkpoint.write_weights(folder, weights.snapshot(made, {})), "model.safetensors")


def check_run(folder: Path, content: bytes) -> None:
    """A record is read for what it says, and by everything that goes on from it: its model, and its next step."""
    put(folder / "run.json", content)
    put(folder / "model.safetensors", model())
    found = checkpoint.read_run(folder)
    right = json.loads(content)
    assert all(same_json(found.get(key), right[key]) for key in right if key not in ("seconds", "results"))
    refusals: list[ByhandError] = []
    for use in (settings_of, load_run, lambda folder: resume(folder, data(), quiet=True)):
        try:
            use(folder)
        except ByhandError as error:
            refusals.append(error)
    if refusals:
        raise DataError(f"{folder}: {max(map(str, refusals), key=lambda text: (not text.isprintable(), len(text)))}")


def settings_of(folder: Path) -> None:
    told = checkpoint.read_run(folder)
    found, right = asdict(Settings.of(told)), told["settings"]
    for name, value in right.items():
        assert value is None or same_json(list(found[name]) if name == "hidden" else found[name], value), name


def same_json(one: object, other: object) -> bool:
    """Equal, where no number is equal to itself only if it is one."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True) or one == other


def check_history(folder: Path, content: bytes) -> None:
    found = checkpoint.read_history(put(folder / "history.jsonl", content).parent)
    right = [json.loads(line) for line in content.splitlines()]
    assert len(found) == len(right)
    for row, their in zip(found, right, strict=True):
        assert all(same_json(row.get(key), their[key]) for key in their if key != "seconds")


def check_times(folder: Path, content: bytes) -> None:
    """Nothing hangs on the times: what is none is not known, and the rest of the run is read as ever."""
    put(folder / "times.json", content)
    put(folder / "run.json", sound_run())
    put(folder / "history.jsonl", sound_history())
    found, rows = checkpoint.read_run(folder), checkpoint.read_history(folder)
    assert {name: found[name] for name in found if name not in ("seconds", "results", "schema")} == (
        {name: value for name, value in json.loads(sound_run()).items() if name not in ("seconds", "results", "schema")}
    )
    assert len(rows) == 4
    times = [found["seconds"], *(row["seconds"] for row in rows)]
    if times == [None] * 5:
        raise DataError(f"{folder}: times that are none")
    right = json.loads(content)
    assert times == [right["seconds"], *(right["epochs"] + [None] * 4)[:4]]
    assert all(one is None or (type(one) in (int, float) and math.isfinite(one)) for one in times)
    assert found["results"]["seconds"] == times[2]


@cache
def sound_times() -> bytes:
    rows = [{"seconds": 0.5}, {"seconds": None}, {"seconds": 1.25}]
    return written(lambda folder: checkpoint.write_times(folder, rows, 2.5), "times.json")


@cache
def sound_history() -> bytes:
    rows = [{"epoch": epoch, "train_loss": 0.5 / (1 + epoch), "valid_loss": None} for epoch in range(4)]
    return written(lambda folder: checkpoint.write_history(folder, rows), "history.jsonl")


_DEEP = b"[" * 100_000
_JSON = (b"NaN", b"1e999", b'"\\ud800"', b"\xff\xfe", b"\xef\xbb\xbf", b'{"a":1,"a":2}', b"-0", b"1" * 5000, _DEEP)
_FIELDS = tuple(f'"{name}"'.encode() for name in (*Settings.__slots__, "status", "lr", "data", "shape", "classes"))

READERS = (
    Reader(
        "safetensors",
        (sound_weights(), sound_state()),
        check_any_weights,
        CAP,
        8,
        (b"F8_E4M3", b"BF16", *_JSON[:6]),
        bombs=bombs.headers,
    ),
    Reader("weights", (sound_weights(),), check_weights, CAP, 8, (b"F64", b"[0,0]", *_JSON), bombs=bombs.headers),
    Reader("state", (sound_state(),), check_state, CAP, 8, (b"F64", b"[0,0]", *_JSON), bombs=bombs.headers),
    Reader(
        "state-entry",
        (sound_entry(),),
        check_crafted,
        CAP,
        0,
        (b'"about"', b"\\u0660", b"-1", b"1_0", *_JSON),
        bombs=bombs.json_texts,
    ),
    Reader(
        "run.json", (sound_run(),), check_run, CAP, 0, (*_FIELDS, b"\\n", b"\\u001b", *_JSON), bombs=bombs.json_texts
    ),
    Reader(
        "history.jsonl",
        (sound_history(),),
        check_history,
        CAP,
        0,
        (b"\n", b"\n\n", b"\x85", *_JSON),
        bombs=bombs.json_texts,
    ),
    Reader("times.json", (sound_times(),), check_times, CAP, 0, (b"true", b'"1"', *_JSON)),
)
