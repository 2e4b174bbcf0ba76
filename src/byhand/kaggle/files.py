"""Which files a competition is entered with, and where its submission goes."""

from pathlib import Path
from typing import Final, NamedTuple

from byhand.data.competition import NAME, folders
from byhand.data.files import faults, open_file
from byhand.errors import DataError, UsageError
from byhand.kaggle.submission import HEADER, check_lines
from byhand.text import one_line

__all__ = ["Files", "check_sample", "check_target", "find_files", "usual_target"]

_WORKING: Final = "/kaggle/working"  # what Kaggle's notebooks write to
_MOST_SAMPLE: Final = 1 << 28  # bytes of a sample that are read; Kaggle's has 240,909


class Files(NamedTuple):
    """The tables, and the sample of a submission if one lies beside the second."""

    train: Path
    test: Path
    sample: Path | None


def find_files(train: Path | None = None, test: Path | None = None) -> Files:
    """The two tables that are named; where none is, those of the first folder that holds both.

    The folders are those that Kaggle's notebooks read from, ``kagglehub``'s, and the working folder.

    Raises:
        UsageError: one of two is named.
        DataError: none is named and none is found.
    """
    if train is not None and test is not None:
        return Files(train, test, _sample_beside(test))
    if train is not None or test is not None:
        raise UsageError("name both tables, or none: byhand kaggle train.csv test.csv")
    places = [*folders(), Path()]
    for place in places:
        found = Files(place / "train.csv", place / "test.csv", _sample_beside(place / "test.csv"))
        with faults(place):
            if found.train.is_file() and found.test.is_file():
                return found
    looked = ", ".join(one_line(place.absolute()) for place in places)
    packed = Path(f"{NAME}.zip")  # what Kaggle's own command line leaves
    how = f"unpack {packed}" if packed.is_file() else f"get them from kaggle.com/competitions/{NAME}/data and name both"
    raise DataError(f"no train.csv and test.csv in {looked}; {how}")


def usual_target() -> Path:
    """Where a submission goes that nobody places: Kaggle's notebooks hand in what lies in /kaggle/working."""
    folder = Path(_WORKING)
    return (folder if folder.is_dir() else Path()) / "submission.csv"


def check_target(target: Path, files: Files) -> None:
    """Refuses a place for the submission before anything is trained.

    Raises:
        UsageError: it is one of the competition's files, or another file that is no submission.
        DataError: its folder is missing, or it cannot be looked at.
    """
    with faults(target):
        if not target.parent.is_dir():
            raise DataError(
                f"cannot write {one_line(target)}: there is no folder {one_line(target.parent)}; make it first"
            )
        if not target.exists():
            return
        for file in files:
            if file is not None and file.exists() and target.samefile(file):
                raise UsageError(f"-o {one_line(target)} is one of the competition's own files; name another for yours")
    with open_file(target) as file:
        if file.readline(64).rstrip(b"\r\n") not in (HEADER, b""):
            raise UsageError(f"-o {one_line(target)} holds something else than a submission; name another file")


def check_sample(sample: Path, rows: int) -> None:
    """Holds Kaggle's own sample of a submission against what will be written: the same columns, the same ids.

    Raises:
        DataError: it differs, or cannot be read.
    """
    with open_file(sample) as file:
        text = file.read(_MOST_SAMPLE)
    try:
        check_lines(text.replace(b"\r\n", b"\n"), rows)
    except ValueError as error:
        raise DataError(
            f"{one_line(sample)} does not go with the test table of {rows:,} rows: {error}; get both files again"
        ) from error


def _sample_beside(test: Path) -> Path | None:
    sample = test.with_name("sample_submission.csv")
    with faults(sample):
        return sample if sample.is_file() else None
