"""Several processes train as one would: real processes under torchrun, gloo between them, and some of them killed."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from byhand.data.load import make_shards
from byhand.data.loader import DataLoader, part_of
from byhand.data.sharding import Choices
from byhand.distributed import World, joined, restarts
from byhand.errors import DataError
from byhand.metrics import Mean

WORKER = Path(__file__).with_name("_distributed_worker.py")
AGENT = ("-m", "torch.distributed.run", "--monitor-interval=0.05")
PATIENCE = 120.0  # seconds after which a process counts as hung


@contextmanager
def torchrun(
    n: int, *args: str, folder: Path, restarts: int = 0, machines: tuple[str, ...] = ("--standalone",), **env: str
) -> Iterator[subprocess.Popen[str]]:
    """``torchrun --nproc-per-node N ARGS`` in a folder; nothing of it is left afterwards."""
    started = subprocess.Popen(
        [sys.executable, *AGENT, *machines, f"--nproc-per-node={n}", f"--max-restarts={restarts}", *args],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        for pid in [*children(started.pid), started.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        started.communicate()


def finished(n: int, *args: str, folder: Path, restarts: int = 0, **env: str) -> tuple[int, str, str]:
    """The exit status and both streams of what torchrun starts."""
    with torchrun(n, *args, folder=folder, restarts=restarts, **env) as started:
        out, err = started.communicate(timeout=PATIENCE)
        return started.returncode, out, err


def children(pid: int) -> list[int]:
    """The processes that a process has started, while they live."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()]
    except OSError:
        return []


def wait_for(what: Callable[[], Any]) -> Any:
    """What a function returns as soon as that is something."""
    until = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.01)
    return found


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def history(folder: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text("utf-8").splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def own_lines(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("byhand:")]


TRAIN = ("-m", "byhand", "train", "digits", "--lr", "0.1", "--device", "cpu")


# The parts.


@given(start=st.integers(0, 1000), n=st.integers(0, 600), size=st.integers(1, 9))
def test_each_row_of_a_batch_is_in_one_part(start: int, n: int, size: int) -> None:
    parts = [part_of(start, start + n, (rank, size)) for rank in range(size)]
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(start, start + n))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) - min(lengths) <= 1


@given(
    n=st.integers(0, 40),
    batch=st.integers(1, 17),
    size=st.integers(1, 5),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    skip=st.integers(0, 3),
)
def test_the_parts_of_a_pass_are_the_pass(
    n: int, batch: int, size: int, shuffle: bool, drop_last: bool, skip: int
) -> None:
    def loader(rank: int, size: int) -> DataLoader:
        generator = torch.Generator().manual_seed(7)
        dl = DataLoader((torch.arange(2.0 * n).view(n, 2), torch.arange(n)), batch, shuffle, drop_last, generator)
        dl.share = rank, size
        return dl

    whole = list(loader(0, 1).batches(skip=skip))
    parts = [list(loader(rank, size).batches(skip=skip)) for rank in range(size)]
    assert {len(part) for part in parts} == {len(whole)}
    for i, (xb, yb) in enumerate(whole):
        assert torch.equal(torch.cat([part[i][0] for part in parts]), xb)
        assert torch.equal(torch.cat([part[i][1] for part in parts]), yb)
    seen = [yb for rank in range(size) for _, yb in loader(rank, size).in_order(5)]
    assert torch.cat([torch.empty(0, dtype=torch.int64), *seen]).tolist() == list(range(n))


def test_alone_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_RUN_ID", "WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    world, p, mean = joined(), torch.ones(2), Mean(3.0, 2)
    assert (world.rank, world.size, world.restarted, restarts()) == (0, 1, False, False)
    p.grad = torch.tensor([1.0, 2.0])
    loss = torch.tensor(0.5)
    assert world.sum_gradients([p], loss, 4) is loss
    world.sum([mean])
    assert world.any(True)
    world.must_agree("nothing", "whatever")
    assert (p.grad.tolist(), mean.value, world.broadcast(2.5), world.first(lambda: 7)) == ([1, 2], 1.5, 2.5, 7)
    with world, world.together():
        world.barrier()
    world.wish.wanted = True
    assert world.stopping
    assert not World().stopping


def test_no_process_group_is_known_outside_torchrun() -> None:
    code = "import sys, byhand.distributed as d; d.joined(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_restart_that_torchrun_counts_on_one_machine_is_known_on_all() -> None:
    code = "import byhand.distributed as d\nwith d.joined('cpu') as world: print(world.restarted)"
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env=os.environ
            | group
            | {"TORCHELASTIC_RUN_ID": "a", "TORCHELASTIC_RESTART_COUNT": count, "RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank, count in enumerate("01")
    ]
    assert [process.communicate(timeout=PATIENCE)[0] for process in started] == ["True\n"] * 2


# The same numbers as one process's.


def losses(folder: Path, n: int) -> dict[str, dict[str, list[float]]]:
    """What ``_distributed_worker.py`` found with n processes: for each case its losses and numbers, in float64."""
    file = folder / f"{n}.json"
    code, _, err = finished(n, str(WORKER), str(file), folder=folder)
    assert code == 0, err
    return json.loads(file.read_text("utf-8"))


def test_losses_and_weights_are_those_of_one_process(tmp_path: Path) -> None:
    one, two, four = (losses(tmp_path, n) for n in (1, 2, 4))
    for case, expected in one.items():
        assert len(expected["losses"]) == 108
        for other in (two[case], four[case]):
            assert other["losses"] == pytest.approx(expected["losses"], rel=1e-12), case
            assert other["measured"] == pytest.approx(expected["measured"], rel=1e-12), case
            assert other["weights"] == pytest.approx(expected["weights"], rel=1e-11, abs=1e-13), case
            assert other["right"] == expected["right"], case


@pytest.mark.full
def test_repeats_are_equal_to_the_bit(tmp_path: Path) -> None:
    assert losses(tmp_path, 3) == losses(tmp_path, 3)


# The command line.


@pytest.mark.full
def test_a_run_of_two_processes(tmp_path: Path) -> None:
    args = (*TRAIN, "--hidden", "8", "--dropout", "0.3", "--epochs", "3")
    code, out, err = finished(2, *args, "--save-every", "1", "--out", "two", folder=tmp_path)
    assert (code, own_lines(err)) == (0, [])
    assert out.count("saved  two") == out.count("data   digits") == 1
    record = json.loads((tmp_path / "two" / "run.json").read_text("utf-8"))
    assert (record["status"], record["processes"]) == ("finished", 2)
    assert sorted(file.name for file in (tmp_path / "two").iterdir() if file.name != "times.json") == [
        "history.jsonl",
        "model.safetensors",
        "run.json",
    ]
    again = finished(2, "-m", "byhand", "train", "--like", "two", "--out", "again", "--json", folder=tmp_path)
    assert (again[0], json.loads(again[1])["status"]) == (0, "finished")
    assert (weights(tmp_path / "again"), history(tmp_path / "again")) == (
        weights(tmp_path / "two"),
        history(tmp_path / "two"),
    )


@pytest.mark.full
def test_shards_are_shared_as_rows_in_memory_are(tmp_path: Path) -> None:
    make_shards("digits", tmp_path / "shards", Choices())
    args = ("-m", "byhand", "train", "shards", "--lr", "0.1", "--hidden", "8", "--epochs", "3", "--batch-size", "100")
    for n in (1, 2, 3):
        assert finished(n, *args, "--device", "cpu", "--out", f"run{n}", folder=tmp_path)[0] == 0
    alone = history(tmp_path / "run1")
    for n in (2, 3):
        for row, like in zip(history(tmp_path / f"run{n}"), alone, strict=True):
            assert row.keys() == like.keys()
            assert all(row[name] == pytest.approx(like[name], rel=1e-5) for name in row)  # float32


@pytest.mark.full
def test_deformed_images_are_the_same_in_any_number_of_processes(tmp_path: Path) -> None:
    args = (*TRAIN, "--hidden", "8", "--augment", "--epochs", "3", "--batch-size", "100")
    for n in (1, 2, 3):
        assert finished(n, *args, "--out", f"run{n}", folder=tmp_path)[0] == 0
    alone = history(tmp_path / "run1")
    for n in (2, 3):
        for row, like in zip(history(tmp_path / f"run{n}"), alone, strict=True):
            assert all(row[name] == pytest.approx(like[name], rel=1e-5) for name in row)  # float32


@pytest.mark.full
def test_batch_norm_is_refused_in_several_processes(tmp_path: Path) -> None:
    code, out, err = finished(2, *TRAIN, "--hidden", "8", "--batch-norm", "--out", "two", folder=tmp_path)
    assert code != 0
    assert "saved" not in out
    assert all("batch norm learns in one process" in line for line in own_lines(err))
    assert own_lines(err)
    assert not (tmp_path / "two").exists()


@pytest.mark.full
def test_the_rate_is_found_once_for_all(tmp_path: Path) -> None:
    args = ("-m", "byhand", "train", "digits", "--epochs", "2", "--device", "cpu", "--json", "--out")
    code, out, err = finished(2, *args, "two", folder=tmp_path)
    assert code == 0, err
    alone = subprocess.run([sys.executable, *args, "one"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(out)["lr"] == json.loads(alone.stdout)["lr"]


def state_of(folder: Path) -> Path | None:
    return next((file for file in folder.glob("state*.safetensors")), None)


@pytest.mark.full
def test_a_signal_to_one_process_stops_all_after_the_same_step(tmp_path: Path) -> None:
    args = (
        *TRAIN,
        "--hidden",
        "8",
        "--dropout",
        "0.3",
        "--epochs",
        "60",
        "--schedule",
        "constant",
        "--save-every",
        "9",
    )
    assert finished(2, *args, "--out", "whole", folder=tmp_path)[0] == 0
    for rank in (0, 1):
        part = tmp_path / f"part{rank}"
        with torchrun(2, *args, "--out", part.name, folder=tmp_path) as started:
            wait_for(lambda part=part: state_of(part))
            os.kill(worker(started.pid, rank), signal.SIGTERM)
            _, err = started.communicate(timeout=PATIENCE)
        assert started.returncode != 0
        assert len(own_lines(err)) == 1, err
        told = rf"interrupted; \d+ finished epochs are kept in {part.name}; byhand train --resume {part.name}"
        assert re.search(told, err), err
        code, _, err = finished(2, "-m", "byhand", "train", "--resume", part.name, folder=tmp_path)
        assert code == 0, err
        assert weights(part) == weights(tmp_path / "whole")
        assert history(part) == history(tmp_path / "whole")


def worker(agent: int, rank: int) -> int:
    """The process of a rank."""

    def find() -> int | None:
        for pid in children(agent):
            with suppress(OSError):
                if f"RANK={rank}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                    return pid
        return None

    return wait_for(find)


def killed(folder: Path, name: str, args: tuple[str, ...], moments: list[tuple[int, float]]) -> None:
    """Run with restarts, and kill each rank named so many seconds after its group was there."""
    with torchrun(2, *args, "--out", name, folder=folder, restarts=len(moments)) as started:
        dead: set[int] = set()
        for rank, seconds in moments:
            pid = wait_for(lambda rank=rank: {worker(started.pid, rank)} - dead).pop()
            wait_for(lambda: (folder / name / "run.json").exists())
            time.sleep(seconds)
            if started.poll() is not None:
                break
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            dead.add(pid)
        _, err = started.communicate(timeout=PATIENCE)
        assert started.returncode == 0, err
        assert dead


KILLED = (*TRAIN, "--hidden", "8", "--dropout", "0.3", "--momentum", "0.9", "--epochs", "150", "--save-every", "7")


def test_a_killed_process_comes_back_and_the_bits_are_the_same(tmp_path: Path) -> None:
    assert finished(2, *KILLED, "--out", "whole", folder=tmp_path)[0] == 0
    killed(tmp_path, "killed", KILLED, [(1, 1.0), (0, 4.0)])
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
    assert history(tmp_path / "killed") == history(tmp_path / "whole")


@pytest.mark.full
def test_killed_at_many_points(tmp_path: Path) -> None:
    assert finished(2, *KILLED, "--out", "whole", folder=tmp_path)[0] == 0
    for i in range(3):
        killed(tmp_path, f"killed {i}", KILLED, [(i % 2, 0.2 * i), (i % 2, 3 + 0.3 * i), (1 - i % 2, 3.5)])
        assert weights(tmp_path / f"killed {i}") == weights(tmp_path / "whole")
        assert history(tmp_path / f"killed {i}") == history(tmp_path / "whole")


@pytest.mark.full
def test_a_process_killed_on_one_of_two_machines_comes_back(tmp_path: Path) -> None:
    assert finished(2, *KILLED, "--out", "whole", folder=tmp_path)[0] == 0
    where = f"--rdzv-endpoint=127.0.0.1:{free_port()}"
    machine: dict[str, Any] = {"folder": tmp_path, "restarts": 3}
    machine["machines"] = ("--nnodes=2", "--rdzv-backend=c10d", where)
    with torchrun(1, *KILLED, "--out", "two", **machine) as one, torchrun(1, *KILLED, "--out", "two", **machine) as two:
        for agent in (one, two):
            wait_for(lambda: state_of(tmp_path / "two"))
            before = wait_for(lambda agent=agent: children(agent.pid))[0]
            os.kill(before, signal.SIGKILL)
            wait_for(lambda agent=agent, before=before: set(children(agent.pid)) - {before})
        errors = [agent.communicate(timeout=PATIENCE)[1] for agent in (one, two)]
        assert (one.returncode, two.returncode) == (0, 0), errors
    assert weights(tmp_path / "two") == weights(tmp_path / "whole")
    assert history(tmp_path / "two") == history(tmp_path / "whole")


# What goes wrong.


@pytest.mark.full
def test_a_broken_loss_stops_all(tmp_path: Path) -> None:
    args = ("-m", "byhand", "train", "digits", "--lr", "1e6", "--hidden", "64,64,64,64", "--epochs", "20")
    code, _, err = finished(2, *args, "--device", "cpu", "--out", "two", folder=tmp_path)
    assert code == 1
    assert [line[:28] for line in own_lines(err)] == ["byhand: the loss became nan "], err
    assert json.loads((tmp_path / "two" / "run.json").read_text("utf-8"))["status"] == "stopped"


@pytest.mark.full
def test_a_fault_on_one_process_ends_all_with_a_line_each(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").touch()
    code, _, err = finished(2, *TRAIN, "--out", "full", folder=tmp_path)
    assert code != 0
    assert any("full is not empty" in line for line in own_lines(err)), err
    code, _, err = finished(2, "-m", "byhand", "train", "./nothing", "--out", "two", folder=tmp_path)
    assert code != 0
    assert any("nothing" in line for line in own_lines(err)), err


def test_a_process_that_has_lost_the_others_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch.distributed

    def broken(*_: object) -> None:
        raise RuntimeError("Connection closed by peer\nmore")

    monkeypatch.setattr(torch.distributed, "all_reduce", broken)
    with pytest.raises(DataError, match=r"rank 1 has lost the others.*\(Connection closed by peer\)"):
        World(1, 2).barrier()


@pytest.mark.full
def test_a_restart_needs_a_folder_that_it_can_find(tmp_path: Path) -> None:
    code, _, err = finished(2, *TRAIN, folder=tmp_path, restarts=1)
    assert code != 0
    assert any("name the run's folder with --out" in line for line in own_lines(err))
    assert not list(tmp_path.iterdir())


@pytest.mark.full
def test_safetensors_reads_what_rank_0_wrote(tmp_path: Path) -> None:
    code, _, err = finished(2, *TRAIN, "--epochs", "1", "--batch-size", "1", "--quiet", "--out", "one", folder=tmp_path)
    assert code == 0, err
    assert safetensors.torch.load_file(tmp_path / "one" / "model.safetensors")["0.weight"].abs().sum() > 0
