"""A file is there whole or not at all: failing writers, full disks, missing folders."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from byhand.errors import DataError
from byhand.files import write_atomically

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and limits")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_bytes_and_writers_are_written_whole(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    write_atomically(tmp_path / "bytes", content)
    write_atomically(tmp_path / "writer", lambda file: [file.write(content[:1000]), file.write(content[1000:])])
    assert (tmp_path / "bytes").read_bytes() == (tmp_path / "writer").read_bytes() == content
    assert names(tmp_path) == ["bytes", "writer"]


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"old and longer")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["run.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize("existing", [True, False])
def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path, error: type[BaseException], existing: bool) -> None:
    path = tmp_path / "weights"
    if existing:
        path.write_bytes(b"old")

    def half(file: BinaryIO) -> None:
        file.write(b"half of it")
        file.flush()
        raise error("no more")

    with pytest.raises(error, match="no more"):
        write_atomically(path, half)
    assert names(tmp_path) == (["weights"] if existing else [])
    assert not existing or path.read_bytes() == b"old"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError("odd")])
def test_an_operating_system_error_is_one_line_that_names_the_file(tmp_path: Path, error: OSError) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"old")

    def write(file: BinaryIO) -> None:
        raise error

    with pytest.raises(DataError, match="choose another folder or make room") as caught:
        write_atomically(path, write)
    assert str(caught.value).startswith(f"cannot write {path}: {error.strerror or error}; ")
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["weights"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("where", ["missing/file", "file/under/it", "folder"])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_bytes(b"a file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").write_bytes(b"")
    with pytest.raises(DataError, match=r"^cannot write ") as caught:
        write_atomically(tmp_path / where, b"content")
    assert str(tmp_path / where) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["file", "folder"]
    assert names(tmp_path / "folder") == ["inside"]


@POSIX
def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    """The operating system's limit on the size of a file stands for the disk's end."""
    path = tmp_path / "state"
    path.write_bytes(b"old")
    program = (
        "import resource, signal, sys; from pathlib import Path; from byhand.files import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from byhand.errors import DataError\n"
        "try: write_atomically(Path(sys.argv[1]), bytes(100_000))\n"
        "except DataError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot write {path}: File too large; choose another folder or make room\n"
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["state"]


@POSIX
def test_a_kill_in_the_midst_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old")
    program = (
        "import os, signal, sys; from pathlib import Path; from byhand.files import write_atomically\n"
        "def write(file): file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_atomically(Path(sys.argv[1]), write)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, check=False)
    assert done.returncode == -9
    assert path.read_bytes() == b"old"
    write_atomically(path, b"new")  # what the killed one left is in nobody's way
    assert path.read_bytes() == b"new"


@POSIX
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000])
def test_permissions_are_those_of_any_new_file(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "ours", b"")
        (tmp_path / "plain").write_bytes(b"")
        assert os.umask(mask) == mask  # it is as it was
    finally:
        os.umask(before)
    mode = stat.S_IMODE((tmp_path / "ours").stat().st_mode)
    assert mode == stat.S_IMODE((tmp_path / "plain").stat().st_mode) == 0o666 & ~mask
