"""Guards of a replay, or of a run that is fenced in.

It writes only in its copy of the folder, reaches no network, and tells no experiment tracker.

They keep an honest program from leaving traces. They are no sandbox: the program runs with the user's rights.
"""

import errno
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from byhand.doctor.run.linux import write_only_in
from byhand.doctor.run.scratch import own

__all__ = ["close_network", "keep_inside", "note_network", "switch_off_tracking"]

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGED: Final = {"os.truncate", "os.chmod", "os.chown", "os.utime", "os.setxattr", "os.removexattr", "os.link"}
_CHANGED_WHOLE: Final = _CHANGED | {"shutil.rmtree", "sqlite3.connect"}  # events whose first argument is changed itself
_NAMED: Final = {  # events that give or take a name: (argument, its folder's handle) of each
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.symlink": ((1, 2),),
    "os.link": ((1, 3),),
}
_SAID: Final = {"os.mkdir", "os.remove", "os.rmdir"}  # fail by themselves where the name is there, or is not
_HERE: Final = (None, "", b"", "localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104


def switch_off_tracking(folder: Path) -> None:
    """Set the environment so that trackers and model hubs stay silent, and temporary files go to a folder."""
    os.environ.update(
        WANDB_MODE="disabled",
        COMET_MODE="disabled",
        CLEARML_OFFLINE_MODE="1",
        NEPTUNE_MODE="offline",
        MLFLOW_TRACKING_URI=(folder / "mlruns").as_uri(),
        HF_HUB_OFFLINE="1",
        TMPDIR=str(folder),
    )
    tempfile.tempdir = None  # to be looked up again


def _on_network(act: Callable[[], None]) -> None:
    def hook(event: str, args: tuple[Any, ...]) -> None:
        if (event in ("socket.connect", "socket.sendto") and args[0].family != getattr(socket, "AF_UNIX", None)) or (
            event in ("socket.getaddrinfo", "socket.gethostbyname") and args[0] not in _HERE
        ):
            act()

    sys.addaudithook(hook)


def close_network() -> None:
    """Refuse every connection from here on, and every name's address."""

    def refuse() -> NoReturn:
        raise OSError(errno.ENETUNREACH, "byhand has closed the network for this run")

    _on_network(refuse)


def note_network(file: Path) -> None:
    """Make a file, empty, when the network is first used."""
    _on_network(file.touch)


def keep_inside(copies: Mapping[Path, Path], place: Path) -> None:
    """Refuse to change anything outside the copies and the job's own folder.

    What is only linked into a copy is replaced by a copy of its own before Python code writes to it. Where the system
    can, code in other languages is held as well, and refused what is still a link.
    """
    inside = tuple([f"{folder}{os.sep}" for folder in [*copies.values(), place, "/dev", "/proc"]])
    originals = [str(original) for original in copies]

    def check(path: str, *, changed: bool, emptied: bool = False) -> None:
        """Let a path be written to, or else refuse; ``changed``: itself, not only its name in its folder."""
        full = os.path.abspath(path)
        for copy in copies.values():
            aim = Path(full) if changed else Path(full).parent
            if aim.is_relative_to(copy):
                own(aim, copy, originals, emptied=emptied)
        real = os.path.realpath(full if changed else os.path.dirname(full))
        if not f"{real}{os.sep}".startswith(inside):
            raise PermissionError(errno.EACCES, "byhand lets this run write in its own folder only", path)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            if isinstance(args[2], int) and args[2] & _WRITING and (path := _text(args[0])):
                check(path, changed=True, emptied=bool(args[2] & os.O_TRUNC))
            return
        if event in _CHANGED_WHOLE and (path := _text(args[0])) and path != ":memory:":
            check(path, changed=True)
        for argument, handle in _NAMED.get(event, ()):
            path = _text(args[argument], args[handle])
            if path and not (event in _SAID and os.path.lexists(path) == (event == "os.mkdir")):
                check(path, changed=False)

    write_only_in([*copies.values(), place])
    sys.addaudithook(hook)


def _text(path: Any, handle: int = -1) -> str | None:
    """A path as text, from the folder of a handle if there is one; None where it is no path."""
    if isinstance(path, int) or not isinstance(path, str | bytes | os.PathLike):
        return None
    text = os.fsdecode(path)  # pyright: ignore[reportUnknownArgumentType]
    if handle == -1:
        return text
    try:
        return os.path.join(os.readlink(f"/proc/self/fd/{handle}"), text)
    except OSError:
        return None
