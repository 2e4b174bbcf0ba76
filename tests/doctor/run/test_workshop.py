import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from byhand.doctor.job import Job
from byhand.doctor.run.scratch import Scratch
from byhand.doctor.run.workshop import NETWORK, Workshop
from byhand.doctor.trace import LIMIT, Trace
from byhand.errors import DataError

HERE = Path(__file__).parent
Run = Callable[..., Trace]


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))  # where the children find stand_in
        with Workshop(["numpy", "torch", "byhand.doctor.trace_file", "no_such_module"]) as workshop:
            yield workshop


@pytest.fixture
def run(workshop: Workshop, tmp_path: Path) -> Run:
    """Run a text as a script in ``tmp_path``."""

    def run(text: str, observer: str = "run", **fields: object) -> Trace:
        return workshop.run(job(tmp_path, text, observer, **fields))

    return run


def job(folder: Path, text: str, observer: str = "run", **fields: object) -> Job:
    script = folder / "script.py"
    folder.mkdir(exist_ok=True)
    script.write_text(textwrap.dedent(text))
    return Job(script, folder, observer=f"stand_in:{observer}", **fields)  # type: ignore[arg-type]


def alive(process: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def wait_until(condition: Callable[[], bool]) -> bool:
    for _ in range(400):
        if condition():
            return True
        time.sleep(0.05)
    return False


def written(file: Path) -> Callable[[], bool]:
    return lambda: file.exists() and file.read_text().endswith("\n")


def test_a_program_runs_as_python_runs_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("name = 'helper of the folder'")
    trace = run(
        """
        import helper, os, sys
        print(helper.name, sys.argv[1:], os.getcwd(), os.environ["MPLBACKEND"])
        print("to error", file=sys.stderr)
        os.system("echo from a shell")
        print("last", end="")
        try:
            input()
        except EOFError:
            print(" nobody types")
        """,
        arguments=("--epochs", "3"),
    )
    assert trace.output == (
        f"helper of the folder ['--epochs', '3'] {tmp_path} Agg\nto error\nfrom a shell\nlast nobody types\n"
    )
    assert (trace.end.how, trace.end.error) == ("done", None)
    assert trace.notes == ("watched",)


def test_what_is_imported_before_the_fork_is_there_and_works(run: Run) -> None:
    trace = run(
        """
        import sys
        print("torch" in sys.modules, "matplotlib" in sys.modules, "no_such_module" in sys.modules)
        import numpy, torch
        print(int((torch.ones(300, 300) @ torch.ones(300, 300)).sum()), int((numpy.ones((300, 300)) @ numpy.ones(300)).sum()))
        """  # noqa: E501
    )
    assert trace.output == "True False False\n27000000 90000\n"


def test_threads_are_as_many_as_asked_for(run: Run) -> None:
    text = "import os, torch; print(torch.get_num_threads(), os.environ.get('OMP_NUM_THREADS'))"
    assert run(text, threads=1).output == "1 1\n"


def test_a_worker_prefers_no_module_of_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "socket.py").write_text("raise RuntimeError('not this one')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))
    with Workshop([]) as workshop:
        assert workshop.run(job(tmp_path, "print(1)")).output == "1\n"


@pytest.mark.parametrize(
    ("text", "how", "error"),
    [
        ("import sys; sys.exit(4)", "exit", "4"),
        ("{}['x']", "error", "KeyError: 'x'"),
        ("import os; os._exit(3)", "killed", "ended itself with os._exit(3)"),
        ("import ctypes; ctypes.string_at(0)", "killed", "killed by signal 11 (SIGSEGV)"),
        (
            "import os; os.kill(os.getpid(), 9)",
            "killed",
            "killed by signal 9 (SIGKILL), as when memory runs out",
        ),
        ("import os; os.close(1); os.close(2); print(2)", "error", "OSError: [Errno 9] Bad file descriptor"),
        ("import sys; sys.stdout.close(); sys.stderr.close()", "done", None),
        ("import os, shutil; shutil.rmtree(os.getcwd())", "done", None),
        ("import os; os.chdir('/')", "done", None),
        ("import os; os.killpg(0, 15)", "stopped", None),
    ],
)
def test_whatever_a_program_does_to_end(run: Run, text: str, how: str, error: str | None) -> None:
    trace = run(f"print('began', flush=True)\n{text}")
    assert (trace.end.how, trace.end.error) == (how, error)
    assert trace.output.startswith("began\n")
    assert run("print('and the next one runs')").end.how == "done"


def test_an_endless_loop_is_asked_to_end(run: Run) -> None:
    assert run("while True: pass", soft=0.3, hard=60).end.how == "shortened"
    assert run("import time\nwhile True: time.sleep(1)", hard=0.3).end.how == "stopped"


def test_a_program_that_heeds_nothing_is_killed(run: Run) -> None:
    end = run("print('on it', flush=True)\nwhile True: pass", "deaf", soft=0.1, hard=0.2).end
    assert (end.how, end.error) == ("stopped", "stopped after 0.2 s")
    assert end.seconds > 3


def test_a_fault_of_the_observer_is_told_as_such(run: Run) -> None:
    trace = run("pass", "broken")
    assert trace.end.error == 'watching it failed: KeyError: "the observer\'s own"'


def test_of_much_output_the_end_is_kept(run: Run) -> None:
    trace = run("line = '×' * 99 + '\\n'\nimport sys\nfor _ in range(250): sys.stdout.write(line * 1000)\nprint('end')")
    assert len(trace.output) == LIMIT
    assert trace.output.endswith("×\nend\n")


def test_output_need_not_be_text(run: Run) -> None:
    assert run("import os; os.write(1, b'a\\xffb')").output == "a\ufffdb"


def test_exit_functions_and_threads_come_to_their_end(run: Run) -> None:
    trace = run(
        """
        import atexit, threading, time
        atexit.register(print, "at exit")
        def late():
            time.sleep(0.2)
            print("a thread")
        threading.Thread(target=late).start()
        threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()
        """
    )
    assert trace.output == "a thread\nat exit\n"


def test_an_end_without_end_is_cut(run: Run) -> None:
    trace = run("import atexit, time\natexit.register(time.sleep, 1e6)\nprint('done')")
    assert (trace.end.how, trace.output) == ("done", "done\n")
    trace = run("import threading, time\nthreading.Thread(target=time.sleep, args=(1e6,)).start()\nprint('done')")
    assert (trace.end.how, trace.output) == ("done", "done\n")


def test_processes_left_behind_end_with_the_program(run: Run, tmp_path: Path) -> None:
    run(
        """
        import os, subprocess
        ordinary = subprocess.Popen(["sleep", "1000"])
        apart = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        print(ordinary.pid, apart.pid, file=open("processes", "w"))
        os._exit(0)
        """
    )
    processes = [int(word) for word in (tmp_path / "processes").read_text().split()]
    assert wait_until(lambda: not any(map(alive, processes)))


def test_workers_of_a_loader(run: Run) -> None:
    trace = run(
        """
        import torch
        from torch.utils.data import DataLoader, TensorDataset
        rows = TensorDataset(torch.arange(64.0).reshape(32, 2))
        if __name__ == "__main__":
            print(sum(batch.sum().item() for batch, in DataLoader(rows, batch_size=8, num_workers=2)))
        """
    )
    assert trace.output == "2016.0\n"


def test_many_jobs_come_back_in_order_and_so_many_at_once(workshop: Workshop, tmp_path: Path) -> None:
    text = """
        import os, sys, time
        me = sys.argv[1]
        open(f"at-work-{me}", "w").close()
        open(f"came-{me}", "w").close()
        while me in "01" and not (os.path.exists("came-0") and os.path.exists("came-1")):
            time.sleep(0.01)  # the first two need each other
        print(me, sum(name.startswith("at-work") for name in os.listdir()) <= 2)
        os.remove(f"at-work-{me}")
        """
    jobs = [job(tmp_path, text, arguments=(str(i),), hard=60.0) for i in range(5)]
    outputs = [trace.output for trace in workshop.run_all(jobs, at_once=2)]
    assert outputs == [f"{i} True\n" for i in range(5)]


def test_a_job_arrives_as_it_was_sent(run: Run, workshop: Workshop, tmp_path: Path) -> None:
    with Scratch(tmp_path, inside=workshop.folder) as scratch:
        copies = scratch.fresh()
        sources = {"script.py": "é\n'\"\\\n" * 50_000, "helper.py#2": ""}
        given = job(tmp_path, "", "tell", sources=sources, copy=copies, seed=7, shift=1, steps=9, soft=3.5, light=False)
        given = Job.from_json({**json.loads(given.to_json()), "arguments": [f"--out={tmp_path}/runs", "x=1"]})
        assert workshop.run(given).notes == ("7",)
        got = Job.from_json(json.loads((workshop.folder / "job.json").read_text()))
    place = copies[tmp_path.parents[1]] / tmp_path.relative_to(tmp_path.parents[1])
    assert (got.program, got.folder) == (place / "script.py", place)
    assert got.arguments == (f"--out={place}/runs", "x=1")
    assert (got.sources, got.seed, got.shift, got.steps) == (sources, 7, 1, 9)
    assert (got.soft, got.hard, got.copy) == (3.5, math.inf, copies)
    assert got.placed() == got


def test_use_of_the_network_is_noted(run: Run) -> None:
    text = """
        import socket
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            socket.create_connection(server.getsockname()).close()
        """
    assert NETWORK in run(text).notes
    assert NETWORK not in run("import socket; socket.socketpair()").notes


def test_a_replay_has_no_network_and_tells_no_tracker(run: Run) -> None:
    trace = run(
        """
        import os, socket, tempfile, urllib.request
        try:
            urllib.request.urlopen("http://example.org")
        except OSError as error:
            print(error)
        left, right = socket.socketpair()
        print(os.environ["WANDB_MODE"], os.environ["HF_HUB_OFFLINE"], "job-" in tempfile.gettempdir())
        """,
        light=True,
    )
    assert trace.output == ("<urlopen error [Errno 101] byhand has closed the network for this run>\ndisabled 1 True\n")


def test_leaving_ends_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))
    with Workshop([]) as workshop:
        folder = workshop.folder
        workshop._start(job(tmp_path, "import os, time; print(os.getpid(), file=open('p', 'w', 1)); time.sleep(1e6)"))
        assert wait_until(written(tmp_path / "p"))
        worker = workshop._process
    assert worker is not None
    assert worker.returncode == 0
    assert not alive(int((tmp_path / "p").read_text()))
    assert not folder.exists()


def test_a_worker_that_is_lost_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))
    text = "import os, time; print(os.getpid(), file=open('p', 'w', 1)); os.kill(os.getppid(), 9); time.sleep(1e6)"
    with Workshop([]) as workshop:
        with pytest.raises(DataError, match="the process that runs the program has ended; run the doctor again"):
            workshop.run(job(tmp_path, text))
        assert wait_until(lambda: not alive(int((tmp_path / "p").read_text())))
        assert not workshop.folder.exists()


_PARENT = """
import sys
from pathlib import Path
from byhand.doctor.job import Job
from byhand.doctor.run.workshop import Workshop
from byhand.doctor.run.scratch import Scratch

here = Path(sys.argv[1])
with Workshop([]) as workshop, Scratch(here, inside=workshop.folder) as scratch:
    copies = scratch.fresh()
    print(workshop.folder, workshop._process.pid, file=open(here / "workshop", "w", 1))
    workshop.run_all([Job(here / "script.py", here, observer="stand_in:deaf")] * 2, at_once=2)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_doctor_ends_nothing_is_left(tmp_path: Path, how: signal.Signals) -> None:
    job(
        tmp_path,
        """
        import os, subprocess, time
        apart = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        name = f"child-{os.getpid()}"
        print(os.getpid(), apart.pid, file=open(name, "w", 1))
        time.sleep(1e6)
        """,
    )
    doctor = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert wait_until(lambda: sum(written(file)() for file in tmp_path.glob("child-*")) == 2)
    doctor.send_signal(how)
    _, said = doctor.communicate()
    folder, worker = (tmp_path / "workshop").read_text().split()
    words = " ".join(file.read_text() for file in tmp_path.glob("child-*"))
    processes = [int(worker), *map(int, words.split())]
    assert len(processes) == 5
    assert wait_until(lambda: not any(map(alive, processes)) and not Path(folder).exists())
    assert ("KeyboardInterrupt" in said) == (how == signal.SIGINT)


def test_a_run_is_hurried_or_given_up_from_another_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))
    waits = "import time\nopen('begun', 'w').close()\ntime.sleep(600)"
    with Workshop() as workshop:
        ended: list[Trace | DataError] = []
        last: list[list[str]] = []

        def run() -> None:
            try:
                trace = workshop.run(job(tmp_path, waits), lambda place: last.append(sorted(os.listdir(place))))
                ended.append(trace)
            except DataError as error:
                ended.append(error)

        for end in (lambda: workshop.hurry(600.0, 0.0), workshop.give_up):
            (tmp_path / "begun").unlink(missing_ok=True)
            thread = threading.Thread(target=run)
            thread.start()
            assert wait_until((tmp_path / "begun").exists)
            end()
            thread.join()
        assert isinstance(ended[0], Trace)
        assert ended[0].end.how == "stopped"
        assert "output.txt" in last[0]
        assert isinstance(ended[1], DataError)
        assert not workshop.folder.exists()


def test_a_workshop_given_up_as_its_next_run_begins_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))
    for pause in (0.0, 0.001, 0.003, 0.01, 0.03):
        with Workshop() as workshop:
            assert workshop.run(job(tmp_path, "pass")).end.how == "done"
            workshop.give_up()
            time.sleep(pause)  # the worker has not ended yet, is clearing up, or has ended
            with pytest.raises(DataError, match="has ended"):
                workshop.run(job(tmp_path, "pass"))
        assert not workshop.folder.exists()


def test_a_workshop_that_was_closed_runs_nothing_more_and_says_so(tmp_path: Path) -> None:
    with Workshop() as workshop:
        workshop.close()
        with pytest.raises(DataError, match="has ended"):
            workshop.run(job(tmp_path, "pass"))
        assert not workshop.folder.exists()
