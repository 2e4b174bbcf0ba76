"""Pages that show a file, or what is in a folder."""

from pathlib import Path

from docs.site.addresses import Addresses
from docs.site.sources import file_page, folder_page, shown_files


def test_a_file_is_shown_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('"""Words."""\n\nx = "```"\n')
    text = file_page("a.py", tmp_path)
    assert text.startswith("---\norphan: true\nnosearch: true\n---\n\n# a.py\n")
    assert '``````{code-block} python\n:linenos:\n\n"""Words."""\n\nx = "```"\n``````\n' in text
    (tmp_path / "run").write_text("#!/usr/bin/env bash\necho\n")
    assert "{code-block} bash\n" in file_page("run", tmp_path)


def test_a_folder_says_what_its_files_are(tmp_path: Path) -> None:
    room = tmp_path / "room"
    for name, text in {
        "b.py": '"""The second | half of ``it``.\n\nMore.\n"""\n', "a.txt": "words", "c.bin": "\0", ".hidden": "",
        "inner/__init__.py": '"""A room within."""\n', "__pycache__/x.pyc": "",
    }.items():  # fmt: skip
        (room / name).parent.mkdir(parents=True, exist_ok=True)
        (room / name).write_text(text)
    assert [file.name for file in shown_files(room)] == ["a.txt", "b.py"]
    addresses = Addresses(tmp_path)
    assert folder_page("room", addresses).splitlines()[7:] == [
        "| file | what it is |",
        "|---|---|",
        "| [`a.txt`](a.txt.md) |  |",
        "| [`b.py`](b.py.md) | The second \\| half of ``it``. |",
        "| `c.bin` |  |",
        "| `inner` | A room within. |",
    ]
    addresses.page("room/inner")
    assert "| [`inner`](inner/index.md) | A room within. |" in folder_page("room", addresses)
