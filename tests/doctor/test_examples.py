"""The examples, as their readers would run the doctor on them: the two seeds' programs, and those without a fault."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from byhand.doctor.examine import Examination, examine
from byhand.doctor.show.report import make_report
from byhand.doctor.show.terminal import terminal
from tests.test_docs import ROOT, blocks, check_output

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BUDGET = 300.0  # so that nothing is cut short on a busy machine

# The second seed's other program: a network of 30 units, its rows one class after another, at fastai's default rate.
NETWORK = """\
import os

import torch
from torch import nn
from torch.utils.data import DataLoader

import byhand

data = byhand.load(os.environ["BYHAND_DATA"])


def part(rows):
    order = rows.labels.argsort(kind="stable")
    x = torch.from_numpy(rows.images[order]).flatten(1) / 255
    return list(zip(x, torch.from_numpy(rows.labels[order]).unsqueeze(1), strict=True))


dl = DataLoader(part(data.train), batch_size=256)
valid_dl = DataLoader(part(data.test), batch_size=256)
torch.manual_seed(42)
simple_net = nn.Sequential(nn.Linear(784, 30), nn.ReLU(), nn.Linear(30, 10))
opt = torch.optim.SGD(simple_net.parameters(), lr=0.001)
for epoch in range(20):
    for xb, yb in dl:
        nn.functional.cross_entropy(simple_net(xb), yb.squeeze(1)).backward()
        opt.step()
        opt.zero_grad()
    right = n = 0
    with torch.no_grad():
        for xb, yb in valid_dl:
            right += (simple_net(xb).argmax(1) == yb.squeeze(1)).sum().item()
            n += len(yb)
    print(epoch, right / n)
"""


def doctor(file: Path, *arguments: str, **options: Any) -> Examination:
    return examine(file, arguments, budget=BUDGET, **options)


def spoken(e: Examination) -> dict[str, tuple[int, str | None]]:
    """Each check that found an error or raised a warning: its line, and how it is proven."""
    return {f.check: (f.place.line if f.place else 0, f.proof) for f in e.findings if f.level != "note"}


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES.parent)
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture
def mnist(mnist_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_DATA", str(mnist_path))


@pytest.mark.full
@pytest.mark.usefixtures("mnist")
def test_the_second_seeds_three_faults_are_proven_as_the_readme_shows() -> None:
    e = doctor(Path("examples", "first_attempt.py"))  # as the README names it
    assert spoken(e) == {
        "class-sorted-batches": (42, "experiment"),
        "broadcast-accuracy": (66, "arithmetic"),
        "initial-loss-above-chance": (46, "experiment"),
    }
    assert e.audit.accuracy is not None
    assert e.audit.accuracy.printed == pytest.approx(0.646, abs=0.002)
    assert e.audit.accuracy.actual == pytest.approx(0.690, abs=0.002)
    assert e.proven.all_fixed is not None
    assert e.proven.all_fixed >= 0.915
    report = terminal(make_report(e, budget=BUDGET))
    shown = [
        block for block in blocks(ROOT / "README.md") if block.kind == "text" and "first_attempt.py:" in block.text
    ]
    assert len(shown) == 2
    for block in shown:
        check_output(block.text, report, f"README.md:{block.line}")


@pytest.mark.full
@pytest.mark.usefixtures("mnist")
def test_the_first_seeds_two_causes_are_proven_and_its_argmin_is_left_alone() -> None:
    e = doctor(EXAMPLES / "first_seed.py")
    assert spoken(e) == {
        "initial-loss-above-chance": (47, "experiment"),
        "learning-rate-too-low": (29, "experiment"),
    }
    assert "argmin-as-prediction" not in {finding.check for finding in e.findings}
    assert e.proven.all_fixed is not None
    assert e.proven.all_fixed >= 0.9


@pytest.mark.full
@pytest.mark.usefixtures("mnist")
def test_the_second_seeds_network_has_two_causes(tmp_path: Path) -> None:
    file = tmp_path / "network.py"
    file.write_text(NETWORK)
    e = doctor(file)
    assert {check: proof for check, (_, proof) in spoken(e).items()} == {
        "class-sorted-batches": "experiment",
        "learning-rate-too-low": "experiment",
    }
    assert e.proven.all_fixed is not None
    assert e.proven.all_fixed >= 0.94


@pytest.mark.full
@pytest.mark.parametrize("name", ["one_file.py", "by_hand.ipynb"])
def test_examples_without_a_fault_raise_no_suspicion(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "BYHAND_DATA" in os.environ:
        monkeypatch.delenv("BYHAND_DATA")
    shutil.copy(EXAMPLES / name, tmp_path)  # the digits, where no other data are found
    e = doctor(tmp_path / name, *(["--data", "digits"] if name.endswith(".py") else []))
    assert e.trace.end.how == "done"
    assert spoken(e) == {}
