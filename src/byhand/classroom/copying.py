"""A copy of a submission to run: what the student handed in, and nothing that it could do harm with."""

import os
import shutil
import stat
from pathlib import Path
from typing import Final

from byhand.classroom.submissions import Submission
from byhand.errors import DataError

__all__ = ["copy_submission"]

_ROOM: Final = 1 << 30  # bytes
_FILES: Final = 20_000
_LEFT_OUT: Final = {".git", ".venv", "venv", "node_modules", "__pycache__", "__MACOSX", ".ipynb_checkpoints"}


def copy_submission(one: Submission, program: Path, stage: Path) -> Path:
    """Copy a submission into a folder that is there and empty.

    Links that lead out of the submission and what is neither a file nor a folder are left out, and so are virtual
    environments and the like. The copy can be read and written by who runs this, whatever the original's mode.

    Args:
        one: the submission.
        program: its program.
        stage: the folder.

    Returns:
        The program in the copy.

    Raises:
        DataError: the submission cannot be read, or has more than 1 GiB or 20,000 files.
    """
    top = stage / one.name
    top.mkdir()
    try:
        if one.alone:
            _copy(program, top / program.name)
            return top / program.name
        _copy_folder(one.folder, top, one.name)
    except OSError as error:
        raise DataError(f"it cannot be copied: {error.strerror}: {Path(error.filename or '').name}") from error
    return top / program.relative_to(one.folder)


def _copy_folder(source: Path, top: Path, name: str) -> None:
    room, count = _ROOM, 0
    origin = os.path.realpath(source)
    for root, folders, files in os.walk(source):
        folders[:] = sorted(one for one in folders if one not in _LEFT_OUT and not (Path(root) / one).is_symlink())
        target = top / Path(root).relative_to(source)
        target.mkdir(exist_ok=True)
        for file in sorted(files):
            path = Path(root) / file
            real = os.path.realpath(path)
            if not real.startswith(origin + os.sep) or not os.path.isfile(real):
                continue
            count, room = count + 1, room - os.stat(real).st_size
            if room < 0 or count > _FILES:
                raise DataError(f"{name} is larger than {_ROOM >> 30} GiB or has more than {_FILES:,} files")
            _copy(Path(real), target / file)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    os.chmod(target, stat.S_IMODE(os.stat(source).st_mode) | stat.S_IRUSR | stat.S_IWUSR)
