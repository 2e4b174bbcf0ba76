"""The table as it is met in a file, in a terminal and in a notebook."""

import io
import re

import pytest

from byhand.progress import Table, cell

COLUMNS = ["epoch", "train_loss", "valid_loss", "train_accuracy", "valid_accuracy", "seconds"]


def row(epoch: int, valid: bool = True) -> dict[str, float | None]:
    loss = 2.302585 / (epoch + 1)
    return {
        "epoch": epoch,
        "train_loss": loss,
        "valid_loss": loss + 0.05 if valid else None,
        "train_accuracy": 1 - loss / 4,
        "valid_accuracy": 0.5 if valid else None,
        "seconds": 0.1 + epoch,
    }


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


PLAIN = """\
    epoch  train_loss  valid_loss  train_accuracy  valid_accuracy       time
        0      2.3026      2.3526         42.44 %         50.00 %     0.10 s
        1      1.1513      1.2013         71.22 %         50.00 %     1.10 s
        2      0.7675           –         80.81 %               –     2.10 s
"""


def fill(table: Table) -> None:
    """Three epochs with what is said while they are under way."""
    table.row(row(0))
    for epoch in (1, 2):
        table.under_way(epoch, 0.5, 1.234567)
        table.row(row(epoch, valid=epoch != 2))


def test_plain_lines_are_these() -> None:
    file = io.StringIO()
    fill(Table(COLUMNS, file=file))
    assert file.getvalue() == PLAIN


def test_without_a_file_it_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    fill(Table(COLUMNS))
    assert capsys.readouterr() == (PLAIN, "")


def test_quiet_shows_nothing() -> None:
    for file in (io.StringIO(), Terminal()):
        fill(Table(COLUMNS, file=file, quiet=True))
        assert file.getvalue() == ""


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("epoch", 12.0, "12"),
        ("train_loss", 0.30001, "0.3000"),
        ("valid_loss", 12345.678, "12345.6780"),
        ("valid_loss", float("nan"), "nan"),
        ("train_accuracy", 0.92345, "92.34 %"),
        ("valid_batch_accuracy", 1.0, "100.00 %"),
        ("valid_error_rate", 0.25, "0.2500"),
        ("seconds", 61.239, "61.24 s"),
        ("valid_loss", None, "–"),
    ],
)
def test_a_number_is_shown_as_what_it_is(name: str, value: float | None, text: str) -> None:
    assert cell(name, value) == text


def test_a_column_is_as_wide_as_its_name() -> None:
    file = io.StringIO()
    columns = ["epoch", "train_a_metric_with_a_long_name", "seconds"]
    table = Table(columns, file=file)
    table.row({"epoch": 0, "train_a_metric_with_a_long_name": 0.5, "seconds": 0.1})
    heading, line = file.getvalue().splitlines()
    assert len(heading) == len(line)
    assert line.index("0.5000") + len("0.5000") == heading.index("long_name") + len("long_name")


def test_of_a_long_run_some_rows_are_shown_and_the_last() -> None:
    def shown(first: int, epochs: int) -> list[int]:
        file = io.StringIO()
        last = first + epochs - 1
        table = Table(COLUMNS, epochs, last, file=file)
        for epoch in range(first, last + 1):
            table.row(row(epoch))
        return [int(line.split()[0]) for line in file.getvalue().splitlines()[1:]]

    assert shown(0, 51) == [*range(0, 51, 3), 50]
    assert shown(1, 50) == [*range(1, 51)]
    assert shown(0, 201) == [*range(0, 201, 11), 200]
    assert len(shown(0, 1000)) <= 22


def screen(written: str) -> list[str]:
    """What a terminal shows after these characters: a carriage return goes back and writes over."""
    lines = []
    for line in written.split("\n"):
        cells: list[str] = []
        for part in line.split("\r"):
            cells[: len(part)] = part
        lines.append("".join(cells).rstrip())
    return lines


def test_a_terminal_shows_the_epoch_under_way_and_then_the_same_lines() -> None:
    file = Terminal()
    fill(Table(COLUMNS, file=file))
    written = file.getvalue()
    assert "\repoch 1:  50 %, loss 1.2346" in written
    assert "\x1b" not in written
    assert "\n".join(screen(written)) == "\n".join(line.rstrip() for line in PLAIN.split("\n"))


def test_a_shorter_line_under_way_covers_a_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(100, 200))
    monkeypatch.setattr("time.monotonic", lambda: float(next(ticks)))
    file = Terminal()
    table = Table(COLUMNS, file=file)
    table.under_way(10, 0.1, 123456.0)
    table.under_way(10, 0.2, 0.5)
    assert screen(file.getvalue()) == ["epoch 10:  20 %, loss 0.5000"]


def test_the_line_under_way_is_not_rewritten_at_every_step() -> None:
    file = Terminal()
    table = Table(COLUMNS, file=file)
    for step in range(1000):
        table.under_way(1, step / 1000, 1.0)
    assert 1 <= file.getvalue().count("\r") < 100


def test_a_real_notebook_shows_one_table_that_grows() -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    cell = (
        "import torch\n"
        "from byhand import DataLoaders, Learner, LinearClassifier, accuracy\n"
        "x = torch.rand(300, 5, generator=torch.Generator().manual_seed(0))\n"
        "y = (x[:, 0] > 0.5).long()\n"
        "learn = Learner(DataLoaders((x, y), (x, y)), LinearClassifier(5, 2), metrics=accuracy)\n"
        "learn.fit(3, 0.5)"
    )
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell), nbformat.v4.new_code_cell("learn.fit(1, 0.5)")]
    )
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()

    for code, epochs in zip(notebook.cells, (["0", "1", "2", "3"], ["4"]), strict=True):
        (output,) = code.outputs
        assert output.output_type == "display_data"
        data = output.data
        assert sorted(data) == ["text/html", "text/plain"]
        assert re.findall(r"<tr><td>(\d+)</td>", data["text/html"]) == epochs
        assert re.findall(r"<th>([^<]+)</th>", data["text/html"])[-1] == "time"
        lines = data["text/plain"].splitlines()
        assert [line.split()[0] for line in lines] == ["epoch", *epochs]
        assert "under way" not in data["text/html"]
        assert data["text/html"].endswith("</table>")
