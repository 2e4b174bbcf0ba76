"""Which program of a submission is meant, and that a doubt is said."""

from pathlib import Path

import pytest

from byhand.classroom.copying import copy_submission
from byhand.classroom.submissions import find_submissions
from byhand.errors import DataError

ACTS = "print('here')\n"
DEFINES = "def make():\n    return 1\n"


def write(top: Path, **files: str) -> None:
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_files_and_folders_by_name(tmp_path: Path) -> None:
    write(tmp_path, **{"zoe.py": ACTS, "anna/main.py": ACTS, "bob.ipynb": "{}", ".hidden.py": ACTS, "notes.txt": "",
                       "__pycache__/zoe.py": ""})  # fmt: skip
    found, others = find_submissions(tmp_path)
    assert [(one.name, one.program and one.program.name) for one in found] == [
        ("anna", "main.py"), ("bob", "bob.ipynb"), ("zoe", "zoe.py"),
    ]  # fmt: skip
    assert others == ["notes.txt"]


def test_a_file_and_a_folder_of_one_name_keep_apart(tmp_path: Path) -> None:
    write(tmp_path, **{"anna.py": ACTS, "anna/main.py": ACTS, "bob.py": ACTS, "bob.ipynb": "{}"})
    found, _ = find_submissions(tmp_path)
    assert [one.name for one in found] == ["anna", "anna.py", "bob.ipynb", "bob.py"]


@pytest.mark.parametrize(
    ("files", "meant"),
    [
        ({"main.py": ACTS, "other.py": ACTS}, "main.py"),
        ({"only.ipynb": "{}"}, "only.ipynb"),
        ({"model.py": DEFINES, "train.py": "import model\n" + ACTS}, "train.py"),
        ({"model.py": ACTS, "train.py": "from model import *\n" + ACTS}, "train.py"),
        ({"helper.py": DEFINES, "story.ipynb": "{}"}, "story.ipynb"),
        ({"inner/project/main.py": ACTS}, "inner/project/main.py"),
        ({"__MACOSX/x.py": ACTS, "inner/run.py": ACTS}, "inner/run.py"),
    ],
)
def test_the_program_of_a_folder(tmp_path: Path, files: dict[str, str], meant: str) -> None:
    write(tmp_path / "class" / "anna", **files)
    (found,), _ = find_submissions(tmp_path / "class")
    assert found.program == tmp_path / "class" / "anna" / meant


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"first.py": ACTS, "second.py": ACTS}, "which program is meant? first.py, second.py: name one main.py"),
        ({"a.py": DEFINES, "b.py": DEFINES}, "which program is meant? a.py, b.py: name one main.py"),
        ({"a.py": "this is no Python\n", "b.py": DEFINES}, "which program is meant? a.py, b.py: name one main.py"),
        ({"report.txt": ""}, "no .py or .ipynb file in it"),
    ],
)
def test_a_doubt_is_said(tmp_path: Path, files: dict[str, str], why: str) -> None:
    write(tmp_path / "class" / "anna", **files)
    (found,), _ = find_submissions(tmp_path / "class")
    assert (found.program, found.why) == (None, why)


def test_a_folder_without_submissions_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no submission"):
        find_submissions(tmp_path)
    with pytest.raises(DataError, match="No such file"):
        find_submissions(tmp_path / "nowhere")


def test_a_copy_has_what_was_handed_in_and_no_more(tmp_path: Path) -> None:
    write(
        tmp_path / "class",
        **{"anna/code/main.py": ACTS, "anna/data/rows.csv": "1\n", "anna/.venv/x.py": "", "b.py": ACTS},
    )
    (tmp_path / "secret").write_text("s")
    anna = tmp_path / "class" / "anna"
    (anna / "out").symlink_to(tmp_path / "secret")
    (anna / "up").symlink_to(tmp_path)
    (anna / "same.csv").symlink_to("data/rows.csv")
    (anna / "code" / "main.py").chmod(0o444)
    found, _ = find_submissions(tmp_path / "class")
    stage = tmp_path / "stage"
    stage.mkdir()
    assert found[0].program
    program = copy_submission(found[0], found[0].program, stage)
    copied = sorted(str(file.relative_to(stage)) for file in stage.rglob("*") if file.is_file())
    assert copied == ["anna/code/main.py", "anna/data/rows.csv", "anna/same.csv"]
    assert program == stage / "anna" / "code" / "main.py"
    program.write_text("mine now")
    assert (anna / "code" / "main.py").read_text() == ACTS

    assert found[1].program
    assert copy_submission(found[1], found[1].program, stage) == stage / "b" / "b.py"
    assert [file.name for file in (stage / "b").iterdir()] == ["b.py"]
