"""A run that is fenced in is refused by the system what goes beyond its limits."""

import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from byhand.doctor.job import Fence, Job
from byhand.doctor.run.workshop import Workshop
from byhand.doctor.trace import Trace

HERE = Path(__file__).parent
FENCE = Fence(memory=1 << 30, file=1 << 20, files=64, processes=20)
Run = Callable[[str], Trace]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what only Linux offers")


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))  # where the children find stand_in
        with Workshop(["byhand.doctor.trace_file"]) as workshop:
            yield workshop


@pytest.fixture
def run(workshop: Workshop, tmp_path: Path) -> Run:
    """Run a text as a script in a folder of its own, fenced in."""

    def run(text: str) -> Trace:
        folder = tmp_path / "folder"
        folder.mkdir(exist_ok=True)
        (folder / "script.py").write_text(textwrap.dedent(text))
        copy = {folder: folder}
        return workshop.run(
            Job(folder / "script.py", folder, observer="stand_in:run", copy=copy, fence=FENCE, hard=30.0, threads=1)
        )

    return run


def test_a_job_with_a_fence_survives_its_text() -> None:
    job = Job(Path("a.py"), Path(), fence=FENCE)
    assert Job.from_json(json.loads(job.to_json())).fence == FENCE


def test_too_much_memory_is_the_programs_own_error(run: Run) -> None:
    trace = run("kept = [bytearray(100 << 20) for _ in range(20)]")
    assert trace.end.error == "MemoryError: "


def test_too_long_a_file_is_its_own_error(run: Run) -> None:
    trace = run("with open('long', 'wb') as file:\n    file.write(bytes(2 << 20))")
    assert trace.end.error == "OSError: [Errno 27] File too large"


def test_too_many_open_files_are_its_own_error(run: Run) -> None:
    trace = run("kept = [open('script.py') for _ in range(100)]")
    assert trace.end.error
    assert "[Errno 24] Too many open files" in trace.end.error


def test_there_is_no_network_for_what_it_starts_either(run: Run) -> None:
    trace = run(
        """
        import subprocess, sys
        code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))"
        done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
        print(done.stderr.strip().splitlines()[-1])
        """
    )
    assert "Network is unreachable" in trace.output or "not permitted" in trace.output


def test_it_writes_nowhere_else_and_signals_nobody_else(run: Run, tmp_path: Path) -> None:
    trace = run(
        f"""
        import os, signal, subprocess
        subprocess.run(["sh", "-c", "echo 1 > {tmp_path}/outside; echo 2 > inside"], stderr=subprocess.DEVNULL)
        try:
            os.kill(os.getppid(), signal.SIGTERM)
        except PermissionError as error:
            print(error)
        child = subprocess.Popen(["sleep", "60"])
        child.kill()
        print("its own child:", child.wait())
        """
    )
    assert not (tmp_path / "outside").exists()
    assert (tmp_path / "folder" / "inside").read_text() == "2\n"
    assert trace.output.endswith("its own child: -9\n")


def test_it_may_remove_its_own_folder(run: Run) -> None:
    trace = run("import os, shutil\nfor name in os.listdir():\n    os.remove(name)\nprint(os.listdir())")
    assert trace.output == "[]\n"
