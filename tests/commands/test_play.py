"""``byhand play`` as a person starts it: a process, its address, and Ctrl-C."""

import contextlib
import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.commands.conftest import Call
from tests.play._serving import PATIENCE, Served, interrupt, request

BYHAND = [sys.executable, "-W", "error", "-m", "byhand", "play"]
OPENS = "open  http://127.0.0.1:"


@contextlib.contextmanager
def playing(folder: Path, *args: str | Path, **env: str) -> Iterator[tuple[str, Served]]:
    """The first line that a command prints, and the server; Ctrl-C ends it, and nothing is wrong."""
    complaints = folder / "stderr.txt"
    with complaints.open("w") as stderr:
        process = subprocess.Popen(
            [*BYHAND, *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=folder,
            env={**os.environ, **env},
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, complaints.read_text()
        url = urlsplit(json.loads(line)["url"] if line.startswith("{") else line.removeprefix("open").split()[0])
        assert url.port is not None
        yield line, Served(process, url.port, url.query.removeprefix("token="), complaints)
        interrupt(process)
        process.wait(PATIENCE)
        assert (process.returncode, complaints.read_text()) == (0, "")
    finally:
        process.kill()
        process.communicate()


def state(served: Served) -> dict[str, Any]:
    """What a tab hears first."""
    with served.connect() as wire:
        wire.sendall(request("GET", "/events", {"Host": served.host, **served.enter()}))
        data = b""
        while b"\n\n" not in data.partition(b"data: ")[2]:
            data += wire.recv(1 << 16)
    event = data.partition(b"event: state\ndata: ")[2].partition(b"\n\n")[0]
    return json.loads(event)


def test_it_prints_an_address_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    with playing(tmp_path, "digits", "--port", "0", "--no-browser") as (line, served):
        assert line.startswith(OPENS)
        assert "Ctrl-C" in line
        first = state(served)
        assert (first["mode"], first["data"]["shape"], first["trainable"]) == ("train", [8, 8], True)
        out = served.process.stdout
    assert out is not None


def test_json_is_one_object_as_soon_as_it_listens(tmp_path: Path) -> None:
    with playing(tmp_path, "digits", "--port", "0", "--no-browser", "--json") as (line, served):
        fields = json.loads(line)
        assert fields == {"schema": "byhand.play/1", "url": fields["url"], "port": served.port}
        interrupt(served.process)
        assert served.process.stdout is not None
        assert served.process.stdout.read() == ""


def test_the_last_word_and_the_quiet_form(tmp_path: Path) -> None:
    for option, last in (("--no-browser", "stopped\n"), ("--quiet", "")):
        with playing(tmp_path, "digits", "--port", "0", "--no-browser", option) as (line, served):
            assert line.startswith("http://127.0.0.1:" if option == "--quiet" else OPENS)
            interrupt(served.process)
            assert served.process.stdout is not None
            assert served.process.stdout.read() == last


@pytest.mark.skipif(sys.platform == "win32", reason="$BROWSER is not looked at there")
def test_the_browser_is_given_the_same_address(tmp_path: Path) -> None:
    note = tmp_path / "opened"
    code = f"import pathlib, sys; pathlib.Path({str(note)!r}).write_text(sys.argv[1])"
    browser = f"{shlex.join([sys.executable, '-c', code])} %s"
    with playing(tmp_path, "digits", "--port", "0", "--quiet", BROWSER=browser) as (line, _):
        end = time.monotonic() + PATIENCE
        while not (note.exists() and note.read_text()):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert note.read_text() == line.strip()


def test_a_run_is_shown_with_its_weights(tmp_path: Path, runs: Path) -> None:
    with playing(tmp_path, runs / "mlp", "--port", "0", "--no-browser") as (_, served):
        first = state(served)
        assert (first["mode"], first["sizes"]) == ("train", [64, 16, 10])


def test_a_script_is_watched_and_takes_arguments(tmp_path: Path) -> None:
    script = tmp_path / "prints.py"
    script.write_text("import sys\nprint('said', *sys.argv[1:])\n", "utf-8")
    with playing(tmp_path, script, "--port", "0", "--no-browser", "--", "--fast", "7") as (_, served):
        end = time.monotonic() + PATIENCE
        served_cookie = served.enter()
        said = ""
        while "said --fast 7" not in said:
            assert time.monotonic() < end, said
            with served.connect() as wire:
                wire.sendall(request("GET", "/events", {"Host": served.host, **served_cookie}))
                data = b""
                while b"\n\n" not in data.partition(b"data: ")[2]:
                    data += wire.recv(1 << 16)
            first = json.loads(data.partition(b"event: state\ndata: ")[2].partition(b"\n\n")[0])
            assert (first["mode"], first["title"]) == ("watch", "prints.py")
            said = first["printed"]
            time.sleep(0.1)


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (["nowhere.py"], 3, "no file nowhere.py"),
        (["nowhere.ipynb"], 3, "no file nowhere.ipynb"),
        (["nowhere/at/all"], 3, "nowhere"),
        (["minst"], 2, "did you mean mnist"),
        (["digits", "--", "--fast"], 2, "only a script"),
        (["digits", "--port", "80"], 2, "1024"),
        (["digits", "--port", "eighty"], 2, "--port"),
    ],
)
def test_what_is_not_possible_is_one_line(call: Call, args: list[str], status: int, says: str) -> None:
    assert says in call("play", "--no-browser", *args).error(status)


def test_a_port_that_is_taken_is_one_line(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert f"port {port} is in use" in call("play", "digits", "--no-browser", "--port", port).error(3)
