"""A run's folder: made without loss of another, written in plain formats, read with care."""

import json
import math
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from byhand import checkpoint
from byhand.errors import DataError, UsageError
from byhand.state import State


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_runs_are_numbered_by_day() -> None:
    folders = [checkpoint.new_run() for _ in range(3)]
    assert [folder.parent for folder in folders] == [Path("runs")] * 3
    matches = [re.fullmatch(r"(\d{4}-\d\d-\d\d)-(\d+)", folder.name) for folder in folders]
    assert all(matches)
    assert len({folder.name for folder in folders}) == 3
    assert folders[0].name.endswith("-1")
    assert all(folder.is_dir() and not any(folder.iterdir()) for folder in folders)


def test_runs_that_start_together_get_folders_of_their_own() -> None:
    program = "from byhand.checkpoint import new_run; print(*(new_run() for _ in range(20)), sep='\\n')"
    started = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    names = [name for process in started for name in process.communicate()[0].split()]
    assert len(names) == len(set(names)) == 40


def test_a_folder_of_ones_own_may_be_new_empty_or_deep() -> None:
    Path("empty").mkdir()
    for name in ("new", "empty", "a/b/c"):
        folder = checkpoint.new_run(name)
        assert folder == Path(name)
        assert folder.is_dir()
    assert not Path("runs").exists()


def test_a_folder_that_holds_something_is_refused() -> None:
    Path("full").mkdir()
    Path("full", ".hidden").touch()
    with pytest.raises(UsageError, match="full is not empty: name another folder with --out"):
        checkpoint.new_run("full")
    assert os.listdir("full") == [".hidden"]


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_one_line(name: str) -> None:
    Path("file").touch()
    with pytest.raises(DataError, match=r"cannot make the run's folder file.*choose another with --out") as caught:
        checkpoint.new_run(name)
    assert "\n" not in str(caught.value)
    Path("runs").touch()
    with pytest.raises(DataError, match="cannot make the run's folder runs"):
        checkpoint.new_run()


def test_the_record_is_json_with_a_schema_and_comes_back(tmp_path: Path) -> None:
    record = {"status": "finished", "lr": 0.1, "names": ["ü", "b"], "nested": {"n": None}}
    checkpoint.write_run(tmp_path, record)
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"schema": "byhand.run/1", **record}
    assert text.endswith("}\n")
    again = {"schema": "byhand.run/1", **record, "seconds": None}
    assert checkpoint.read_run(tmp_path) == checkpoint.read_run(str(tmp_path)) == again


def strict(text: str) -> object:
    """JSON as others read it, without NaN."""

    def refuse(name: str) -> float:
        raise AssertionError(name)

    return json.loads(text, parse_constant=refuse)


def test_what_is_no_number_becomes_null(tmp_path: Path) -> None:
    row = {"epoch": 0, "train_loss": math.inf, "valid_loss": math.nan, "seconds": 0.5}
    checkpoint.write_history(tmp_path, [row, {"epoch": 1, "train_loss": 0.1, "valid_loss": None, "seconds": 1}])
    checkpoint.write_run(tmp_path, {"results": row, "list": [1.0, -math.inf, (math.nan,)]})
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert [strict(line) for line in lines] == [
        {"epoch": 0, "train_loss": None, "valid_loss": None},
        {"epoch": 1, "train_loss": 0.1, "valid_loss": None},
    ]
    record = strict((tmp_path / "run.json").read_text())
    assert record == {"schema": "byhand.run/1", "results": strict(lines[0]), "list": [1.0, None, [None]]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is not a run: run.json No such file"),
        (b"", "is damaged"),
        (b"{", "is damaged"),
        (b"\xff\xfe", "is damaged"),
        (b"[1, 2]", "is not a run of byhand"),
        (b"null", "is not a run of byhand"),
        (b"{}", "is not a run of byhand"),
        (b'{"schema": "byhand.run/2"}', "is not a run of byhand"),
        (b'{"schema": ["byhand.run/1"]}', "is not a run of byhand"),
    ],
    ids=str,
)
def test_what_is_no_run_is_one_line(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        checkpoint.read_run(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_record_that_ends_too_early_is_refused_at_every_byte(tmp_path: Path) -> None:
    checkpoint.write_run(tmp_path, {"settings": {"hidden": [30]}, "lr": 0.25})
    content = (tmp_path / "run.json").read_bytes()
    for length in range(len(content) - len("}\n")):
        (tmp_path / "run.json").write_bytes(content[:length])
        with pytest.raises(DataError, match="damaged"):
            checkpoint.read_run(tmp_path)


def some_state(step: int) -> State:
    tensors = {
        "model.0.weight": torch.randn(3, 5),
        "opt.velocity.0": torch.randn(5, 3),
        "random.torch": torch.get_rng_state(),
    }
    return State(tensors, [{"epoch": 0, "train_loss": 0.1 + 0.2, "valid_loss": None}], step)


def same(a: State | None, b: State) -> bool:
    assert a is not None
    assert a.tensors.keys() == b.tensors.keys()
    return (a.history, a.step) == (b.history, b.step) and all(
        torch.equal(a.tensors[k], b.tensors[k]) for k in a.tensors
    )


def test_weights_are_plain_safetensors(tmp_path: Path) -> None:
    model = {"0.weight": torch.randn(3, 5), "0.bias": torch.randn(3)}
    checkpoint.write_weights(tmp_path, model)
    for found in (checkpoint.read_weights(tmp_path), safetensors.torch.load_file(tmp_path / "model.safetensors")):
        assert found.keys() == model.keys()
        assert all(torch.equal(found[name], model[name]) for name in model)


def test_the_last_two_states_are_kept_and_the_newest_is_read(tmp_path: Path) -> None:
    assert checkpoint.read_state(tmp_path) == (None, [])
    states = [some_state(step) for step in range(5)]
    for i, state in enumerate(states):
        checkpoint.write_state(tmp_path, state)
        found, damaged = checkpoint.read_state(tmp_path)
        assert same(found, state)
        assert damaged == []
        assert len(list(tmp_path.iterdir())) == min(i + 1, 2)
    newest = max(tmp_path.iterdir(), key=lambda file: file.stat().st_mtime_ns)
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    found, damaged = checkpoint.read_state(tmp_path)
    assert same(found, states[3])
    assert len(damaged) == 1
    assert str(newest) in damaged[0]
    for file in tmp_path.iterdir():
        file.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"no state of .* can be taken up: .*state.*state"):
        checkpoint.read_state(tmp_path)
    checkpoint.remove_states(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(4))
def test_every_flipped_bit_of_a_state_is_seen(tmp_path: Path, seed: int) -> None:
    checkpoint.write_state(tmp_path, some_state(1))
    (file,) = tmp_path.iterdir()
    content, rng = file.read_bytes(), random.Random(seed)  # noqa: S311
    for at in range(seed, len(content), 4):
        broken = bytearray(content)
        broken[at] ^= 1 << rng.randrange(8)
        file.write_bytes(broken)
        with pytest.raises(DataError, match=r"state\.safetensors"):
            checkpoint.read_state(tmp_path)


def test_a_run_without_weights_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read the weights .*model\.safetensors: No such file"):
        checkpoint.read_weights(tmp_path)


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    tensors = {"w": torch.zeros(2)}
    for write in (
        lambda: checkpoint.write_run(gone, {}),
        lambda: checkpoint.write_history(gone, []),
        lambda: checkpoint.write_weights(gone, tensors),
        lambda: checkpoint.write_state(gone, some_state(0)),
    ):
        with pytest.raises(DataError, match="cannot write"):
            write()
    assert not gone.exists()


def test_the_history_comes_back_as_it_was_written(tmp_path: Path) -> None:
    rows = [
        {"epoch": 0, "train_loss": 2.302585092994046, "valid_loss": None, "seconds": 0.5},
        {"epoch": 1, "train_loss": 0.1, "valid_loss": 1e-300, "seconds": 1.0},
    ]
    checkpoint.write_history(tmp_path, rows)
    assert checkpoint.read_history(tmp_path) == [row | {"seconds": None} for row in rows]
    checkpoint.write_times(tmp_path, rows, 1.5)
    assert checkpoint.read_history(tmp_path) == checkpoint.read_history(str(tmp_path)) == rows
    checkpoint.write_history(tmp_path, [])
    assert checkpoint.read_history(tmp_path) == []
    checkpoint.write_history(tmp_path, [{"epoch": 0, "train_loss": math.nan}])
    assert checkpoint.read_history(tmp_path) == [{"epoch": 0, "train_loss": None, "seconds": 0.5}]


def test_times_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    rows = [{"epoch": 0, "train_loss": 2.0, "seconds": 0.5}, {"epoch": 1, "train_loss": 1.0, "seconds": 1.0}]
    record = {"lr": 0.1, "results": rows[1], "seconds": 1.75, "evaluation": {"seconds": 9.0}}
    checkpoint.write_history(tmp_path, rows)
    checkpoint.write_times(tmp_path, rows, 1.75)
    checkpoint.write_run(tmp_path, record)
    assert checkpoint.read_history(tmp_path) == rows
    assert checkpoint.read_run(tmp_path) == {"schema": "byhand.run/1"} | record
    text = "".join((tmp_path / name).read_text() for name in ("run.json", "history.jsonl"))
    assert text.count("seconds") == 1  # the evaluation's
    assert strict((tmp_path / "times.json").read_text()) == {"seconds": 1.75, "epochs": [0.5, 1.0]}
    changed = checkpoint.change_run(tmp_path, {"lr": 0.2})
    assert changed == checkpoint.read_run(tmp_path) == {"schema": "byhand.run/1"} | record | {"lr": 0.2}


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[]", b"null", b'{"seconds": 1}', b'{"seconds": null, "epochs": []}', b"\xff", None),
        *(
            b'{"seconds": 1, "epochs": ["1"]}',
            b'{"seconds": 1e999, "epochs": [1]}',
            b'{"seconds": 1, "epochs": {"0": 1}}',
        ),
        b'{"seconds": 1, "epochs": [1' + b"0" * 400 + b"]}",
    ],
    ids=lambda content: str(content)[:40],
)
def test_times_that_are_lost_are_not_known_and_nothing_hangs_on_them(tmp_path: Path, content: bytes | None) -> None:
    row = {"epoch": 0, "train_loss": 2.0}
    checkpoint.write_history(tmp_path, [row])
    checkpoint.write_run(tmp_path, {"results": row})
    if content is not None:
        (tmp_path / "times.json").write_bytes(content)
    assert checkpoint.read_history(tmp_path) == [row | {"seconds": None}]
    found = checkpoint.read_run(tmp_path)
    assert (found["seconds"], found["results"]) == (None, row | {"seconds": None})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"cannot read .*history\.jsonl: No such file"),
        (b"{", "is damaged"),
        (b'{"epoch": 0}\n{"epo', "is damaged"),
        (b"\xff\xfe\n", "is damaged"),
        (b"[0]\n", "is damaged: a line is no epoch"),
        (b'"epoch"\n', "is damaged: a line is no epoch"),
        (b'{"epoch": 0}\n{"loss": 1}\n', "is damaged: a line is no epoch"),
        (b'{"epoch": 0}\n\n', "is damaged"),
    ],
    ids=str,
)
def test_what_is_no_history_is_one_line(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "history.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        checkpoint.read_history(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
