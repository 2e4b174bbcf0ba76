"""The notebook: it runs on both data sets, and what its text claims is what its cells print."""

import json
import re
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

FILE = Path(__file__).resolve().parents[1] / "examples" / "by_hand.ipynb"
ROW = re.compile(r"^(?P<step>\S.*?) +(?P<printed>[01]\.\d{4}) +(?P<true>[01]\.\d{4})$", re.MULTILINE)


class Numbers(NamedTuple):
    printed: float
    true: float


def execute(folder: Path) -> NotebookNode:
    notebook = nbformat.read(FILE, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    return NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(notebook: NotebookNode) -> str:
    return "\n".join(output.get("text", "") for cell in code_cells(notebook) for output in cell.outputs)


def table(notebook: NotebookNode) -> dict[str, Numbers]:
    """The table as it stands at the end, a row a step."""
    last = printed(notebook).rpartition("printed    true\n")[2]
    return {m["step"]: Numbers(float(m["printed"]), float(m["true"])) for m in ROW.finditer(last)}


def check_what_holds_everywhere(notebook: NotebookNode) -> None:
    text, rows = printed(notebook), table(notebook)
    assert list(rows) == [
        "as written",
        "the comparison put right",
        "shuffled",
        "(sorted rows, started at zero)",
        "shuffled, started at zero",
        "the rate from the curvature, falling at the end",
        "the same with byhand's Learner",
        "the network, rate 0.001, sorted rows",
        "(the network, rate 0.1, sorted rows)",
        "the network, rate 0.1, shuffled",
    ]
    as_written, compared, shuffled, zero, both, rate, learner, slow, hasty, network = rows.values()
    assert as_written.true - as_written.printed > 0.03
    assert all(row.printed == pytest.approx(row.true, abs=1e-4) for row in list(rows.values())[1:])
    assert as_written.true == compared.true < shuffled.true - 0.01
    assert zero.true < both.true - 0.01
    assert shuffled.true < both.true - 0.01
    assert both.true < rate.true + 0.002
    assert abs(learner.true - rate.true) < 0.01
    assert max(slow.true, hasty.true) < network.true - 0.1
    assert slow.true < learner.true - 0.1

    repeated = float(re.search(r"prints [\d.]+, shuffled ([\d.]+)", text)[1])  # type: ignore[index]
    assert abs(repeated - 0.1) < 0.06
    own = float(re.search(r"own training rows: ([\d.]+)", text)[1])  # type: ignore[index]
    assert abs(own - compared.true) < 0.05
    assert "(256, 256)" in text or "(16, 16)" in text
    assert "loss  2.3026\nlog 10 = 2.3026" in text
    assert re.search(r"weights: True\nbias: +True", text)
    assert "the same weights: True" in text
    same, batches = re.search(r"(\d+) of (\d+) batches are the same", text).groups()  # type: ignore[union-attr]
    assert same == batches
    curve, ours = re.search(r"L ([\d.]+), byhand's L ([\d.]+)", text).groups()  # type: ignore[union-attr]
    assert float(curve) == pytest.approx(float(ours), rel=0.02)


def check_what_holds_on_mnist(notebook: NotebookNode) -> None:
    rows = table(notebook)
    as_written, _, shuffled, zero, both, rate, learner, slow, hasty, network = rows.values()
    assert as_written.printed == pytest.approx(0.66, abs=0.02)
    assert as_written.true == pytest.approx(0.70, abs=0.02)
    assert zero.true < as_written.true - 0.03, "starting at zero alone is worse"
    assert shuffled.true == pytest.approx(0.86, abs=0.02)
    assert min(both.true, rate.true, learner.true) > 0.91
    assert hasty.true < slow.true < shuffled.true, "the rate alone is worse"
    assert 0.02 < network.true - learner.true < 0.045
    assert "scores ± 10.0" in printed(notebook)


def test_it_runs_on_digits(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = execute(tmp_path)
    assert printed(notebook).startswith("digits: 1198 images")
    check_what_holds_everywhere(notebook)
    rows = table(notebook)
    assert rows["(sorted rows, started at zero)"].true > rows["as written"].true, "on digits it helps already"
    assert rows["the same with byhand's Learner"].true > 0.93


@pytest.mark.full
def test_it_runs_on_mnist_and_prints_what_is_saved(
    mnist_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("BYHAND_DATA", str(mnist_path))
    notebook = execute(tmp_path)
    check_what_holds_everywhere(notebook)
    check_what_holds_on_mnist(notebook)
    saved, now = table(nbformat.read(FILE, as_version=4)), table(notebook)
    assert saved.keys() == now.keys()
    for step, row in saved.items():
        assert row == pytest.approx(now[step], abs=0.02), step


def test_the_saved_outputs_are_those_that_the_text_speaks_of() -> None:
    notebook = nbformat.read(FILE, as_version=4)
    nbformat.validate(notebook)
    assert printed(notebook).startswith("mnist: 50000 images")
    check_what_holds_everywhere(notebook)
    check_what_holds_on_mnist(notebook)


def test_the_file_is_whole_and_of_no_one_machine() -> None:
    text = FILE.read_text("utf-8")
    notebook = json.loads(text)
    assert notebook["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert not re.search(r"/(work|root|home|tmp|opt|usr)/", text)
    assert all(cell["metadata"] == {} for cell in notebook["cells"])
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert {output["output_type"] for cell in code for output in cell["outputs"]} == {"stream", "display_data"}
    assert "stderr" not in {output.get("name") for cell in code for output in cell["outputs"]}
