import hashlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from byhand.doctor.job import Job
from byhand.doctor.run import scratch as module
from byhand.doctor.run.scratch import Scratch, own, remove
from byhand.doctor.run.workshop import Workshop
from byhand.doctor.trace import Trace

HERE = Path(__file__).parent
BIG = b"big " * 500_000


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))  # where the children find stand_in
        with Workshop(["numpy", "torch"]) as workshop:
            yield workshop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A learner's project: ``project/code`` is where it works."""
    code = tmp_path / "home" / "project" / "code"
    (code / "data" / "deep").mkdir(parents=True)
    (code / ".git").mkdir()
    (code.parent / "shared").mkdir()
    files = {
        "notes.txt": b"notes",
        "big.csv": BIG,
        "big.pt": BIG,
        "data/deep/big.npy": BIG,
        "data/deep/small.npy": b"small",
        ".git/index": b"index",
        "../shared/rows.csv": b"rows",
    }
    for name, content in files.items():
        (code / name).write_bytes(content)
    (code / "latest").symlink_to("data")
    (code / "absolute").symlink_to(code / "data")
    (code / "elsewhere").symlink_to(HERE)
    (code / "loop").symlink_to("loop")
    return code


def in_copy(copies: Mapping[Path, Path], path: Path) -> Path:
    return Job(path, path, copy=copies).place(path)


def state(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything in a folder, to the byte and the nanosecond."""
    found: dict[str, tuple[object, ...]] = {}
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            place = Path(root, name)
            status = place.lstat()
            content = (
                os.readlink(place)
                if place.is_symlink()
                else hashlib.sha256(place.read_bytes()).hexdigest()
                if place.is_file()
                else None
            )
            found[str(place.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, status.st_ino, content)
    return found


def test_a_copy_reads_like_the_folder(folder: Path) -> None:
    (folder / "notes.txt").chmod(0o640)
    os.utime(folder / "notes.txt", ns=(1, 2))
    with Scratch(folder) as scratch:
        copy = in_copy(scratch.fresh(), folder)
        names = {str(path.relative_to(folder)) for path in folder.rglob("*")}
        assert {str(path.relative_to(copy)) for path in copy.rglob("*")} == names - {".git/index"}
        assert copy.name == "code"
        for name in names - {"loop"}:
            if (folder / name).is_file():
                assert (copy / name).read_bytes() == (folder / name).read_bytes()
        links = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_symlink()}
        assert links == {"big.csv", "data/deep/big.npy", ".git", "latest", "absolute", "elsewhere", "loop"}
        status = (copy / "notes.txt").stat()
        assert (status.st_mode & 0o777, status.st_mtime_ns) == (0o640, 2)
        assert (copy / "../shared/rows.csv").read_bytes() == b"rows"
        assert Path(os.path.realpath(copy / "absolute")) == copy / "data"
        assert Path(os.path.realpath(copy / "elsewhere")) == HERE
        assert state(folder)  # the pristine one and the fresh one are apart
        (copy / "notes.txt").write_text("changed")
        assert in_copy(scratch.fresh(), folder / "notes.txt").read_text() == "notes"
        base = scratch._base
    assert not base.exists()
    assert (folder / "notes.txt").read_text() == "notes"


def test_one_tree_where_one_folder_is_in_or_near_the_other(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Scratch(folder / "data", folder, folder.parent / "shared") as scratch:
        copies = scratch.fresh()
        assert list(copies) == [folder.parents[1]]
        assert not in_copy(copies, folder.parent / "shared").is_symlink()
        assert not in_copy(copies, folder / "data").is_symlink()
        scratch.drop(copies)
        assert not any(copy.exists() for copy in copies.values())


def test_the_place_of_the_copies_is_not_copied(folder: Path) -> None:
    with Scratch(folder, inside=folder) as scratch:
        assert not [path for path in in_copy(scratch.fresh(), folder).iterdir() if path.name.startswith("byhand-")]


def test_beyond_the_limits_there_are_links(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ENTRIES", 11)
    monkeypatch.setattr(module, "_ROOM", 4)
    with Scratch(folder) as scratch:
        copy = in_copy(scratch.fresh(), folder)
        assert not (copy / "data").is_symlink()
        assert (copy / "data" / "deep").is_symlink()
        assert (copy / "notes.txt").is_symlink()
    monkeypatch.undo()
    monkeypatch.setattr(module, "_MANY", 1)
    with Scratch(folder) as scratch:
        deep = in_copy(scratch.fresh(), folder / "data" / "deep")
        assert (deep / "small.npy").is_symlink()
        assert not deep.is_symlink()


def test_what_the_first_run_made_is_not_in_it_unless_asked_for(folder: Path) -> None:
    with Scratch(folder) as scratch:
        (folder / "data" / "fetched").mkdir()
        (folder / "data" / "fetched" / "rows.gz").write_bytes(BIG)
        (folder / "new.pt").write_bytes(BIG)
        (folder / "notes.txt").write_text("after the run")
        assert not in_copy(scratch.fresh(), folder / "data" / "fetched").exists()
        scratch.refresh()
        copies = scratch.fresh()
        assert in_copy(copies, folder / "data" / "fetched" / "rows.gz").is_symlink()
        assert not in_copy(copies, folder / "new.pt").is_symlink()
        assert in_copy(copies, folder / "notes.txt").read_text() == "notes"


def test_own_puts_copies_in_the_place_of_links(folder: Path) -> None:
    before = state(folder.parents[1])
    with Scratch(folder) as scratch:
        copies = scratch.fresh()
        [(top, copy)] = copies.items()
        here = in_copy(copies, folder)
        for path in ["big.csv", "latest/deep/big.npy", "../shared/new/deep.txt", ".git/index", "loop", "elsewhere/x"]:
            own(Path(os.path.normpath(here / path)), copy, [str(top)])
        assert not (here / "big.csv").is_symlink()
        assert (here / "big.csv").read_bytes() == BIG
        assert (here / "latest").is_symlink()
        assert not (here / "data/deep/big.npy").is_symlink()
        shared = here.parent / "shared"
        assert not shared.is_symlink()
        assert (shared / "rows.csv").is_symlink()
        assert (here / ".git/index").read_bytes() == b"index"
        assert (here / "elsewhere").is_symlink()
        (here / ".git/index").write_bytes(b"changed")
    assert state(folder.parents[1]) == before


_RUDE = """
import os, pathlib, shutil, sqlite3, subprocess, sys, tempfile
import numpy, torch

original = pathlib.Path("ORIGINAL")
big, notes = original / "big.csv", original / "notes.txt"

def shell(words):
    subprocess.run(words, shell=True, check=True, stderr=subprocess.DEVNULL)

kept = {
    "append": lambda: open("big.csv", "a").write("more"),
    "update": lambda: open("data/deep/big.npy", "r+b").write(b"XX"),
    "overwrite": lambda: pathlib.Path("notes.txt").write_text("mine"),
    "map": lambda: numpy.memmap("big.csv", mode="r+", dtype="uint8").__setitem__(0, 1),
    "tensor": lambda: torch.save(torch.ones(3), "big.pt"),
    "remove": lambda: os.remove("data/deep/small.npy"),
    "rename": lambda: os.rename("data/deep", "data/shallow"),
    "folder": lambda: os.makedirs("runs/1/checkpoints"),
    "tree": lambda: shutil.rmtree("data"),
    "through a link": lambda: open(".git/index", "w").write("mine"),
    "linked tree": lambda: shutil.rmtree(".git"),
    "beside": lambda: open("../shared/rows.csv", "a").write("more"),
    "mode": lambda: os.chmod("../shared/rows.csv", 0o600),
    "times": lambda: os.utime("../other.csv"),
    "below": lambda: os.makedirs("../shared/new/deep"),
    "remove beside": lambda: os.remove("../shared/rows.csv"),
    "shell": lambda: shell("echo more >> notes.txt"),
    "database": lambda: sqlite3.connect("rows.db").execute("create table t (x)"),
    "temporary": lambda: tempfile.NamedTemporaryFile().write(b"x"),
    "null": lambda: open(os.devnull, "w").write("x"),
    "read": lambda: big.read_bytes(),
    "folder that is there": lambda: (os.makedirs(original, exist_ok=True), original.mkdir(exist_ok=True)),
    "file that is not there": lambda: (original / "no.txt").unlink(missing_ok=True),
}
refused = {
    "overwrite": lambda: open(notes, "w"),
    "bytes": lambda: open(os.fsencode(notes), "ab"),
    "new": lambda: open(original / "new.txt", "x"),
    "folder": lambda: os.mkdir(original / "new"),
    "remove": lambda: os.remove(notes),
    "rename": lambda: os.rename("notes.txt", notes),
    "rename away": lambda: os.rename(notes, "notes.txt"),
    "times": lambda: os.utime(notes),
    "tree": lambda: shutil.rmtree(original),
    "user's link": lambda: open("elsewhere/new.txt", "w"),
    "hard link": lambda: os.link("notes.txt", original / "hard"),
    "soft link": lambda: os.symlink("notes.txt", original / "soft"),
}
native = {
    "shell": lambda: shell(f"echo x >> {notes}"),
    "shell by a link": lambda: shell("echo x >> fresh.csv"),
    "tensor": lambda: torch.save(torch.ones(3), original / "new.pt"),
    "tensor by a link": lambda: torch.save(torch.ones(3), "fresh.csv"),
}
for name, act in kept.items():
    try:
        act()
    except Exception as error:
        print("kept:", name, repr(error))
for name, act in refused.items():
    try:
        act()
        print("refused:", name)
    except PermissionError as error:
        assert "in its own folder only" in str(error), error
for name, act in native.items() if sys.argv[1] == "True" else ():
    try:
        act()
        print("native:", name)
    except Exception:
        pass
print("end")
"""


def held_by_the_system() -> bool:
    """Whether code in other languages is held as well: tried in a child, since it cannot be undone."""
    code = "import sys; from byhand.doctor.run.linux import write_only_in; sys.exit(not write_only_in([]))"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def replay(workshop: Workshop, folder: Path, copies: Mapping[Path, Path], text: str, *arguments: str) -> Trace:
    script = in_copy(copies, folder / "script.py")
    script.write_text(textwrap.dedent(text))
    return workshop.run(
        Job(folder / "script.py", folder, arguments, copies, light=True, hard=60.0, observer="stand_in:run")
    )


def test_a_replay_leaves_the_folder_as_it_was(workshop: Workshop, folder: Path) -> None:
    (folder / "fresh.csv").write_bytes(BIG)
    (folder.parent / "other.csv").write_bytes(b"other")
    before = state(folder.parents[1])
    with Scratch(folder, inside=workshop.folder) as scratch:
        text = _RUDE.replace("ORIGINAL", str(folder))
        trace = replay(workshop, folder, scratch.fresh(), text, str(held_by_the_system()))
        assert (trace.output, trace.end.error) == ("end\n", None)
    assert state(folder.parents[1]) == before


def test_two_replays_do_not_meet(workshop: Workshop, folder: Path) -> None:
    text = "print(open('notes.txt').read()); open('notes.txt', 'w').write('mine')"
    with Scratch(folder, inside=workshop.folder) as scratch:
        outputs = [replay(workshop, folder, scratch.fresh(), text).output for _ in range(2)]
    assert outputs == ["notes\n", "notes\n"]


def test_arguments_lead_into_the_copy(workshop: Workshop, folder: Path) -> None:
    with Scratch(folder, inside=workshop.folder) as scratch:
        copies = scratch.fresh()
        text = "import sys; open(sys.argv[1], 'w').write('x'); print(sys.argv[2])"
        assert replay(workshop, folder, copies, text, str(folder / "out.txt"), "/usr").output == "/usr\n"
        assert in_copy(copies, folder / "out.txt").read_text() == "x"
    assert not (folder / "out.txt").exists()


def test_what_is_read_only_is_removed_too(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("")
    (tmp_path / "a" / "b").chmod(0o500)
    (tmp_path / "a").chmod(0o500)
    remove(tmp_path / "a")
    assert not (tmp_path / "a").exists()
