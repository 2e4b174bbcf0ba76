"""A non-linearity on the scores of the classes, and those that stand elsewhere."""

import math
from pathlib import Path

import pytest

from byhand.doctor.checks.loss.probabilities import softmax_before_cross_entropy
from byhand.doctor.checks.loss.squashed import nonlinearity_on_logits
from tests.doctor.checks._losses import fixed, look, one

OWN = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nn.Tanh()
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(x @ w)


def rectified(z):
    return torch.clamp(z, min=0)


def squashed(z):
    return 1 / (1 + torch.exp(-z))


net = Net()
v = torch.randn(20, 20)
layers = [(v, 0), (w, 0)]


def forward(x):
    for a, b in layers:
        x = torch.relu(x @ a + b)
    return x


"""


@pytest.mark.parametrize(
    ("loss", "instead"),
    [
        ("F.cross_entropy(F.relu(x @ w), y)", "x @ w"),
        ("F.cross_entropy((x @ w).relu(), y)", "x @ w"),
        ("F.nll_loss(F.log_softmax(torch.relu(x @ w), 1), y)", "x @ w"),
        ("-torch.log(softmax(F.relu(x @ w)))[torch.arange(32), y].mean()", "x @ w"),
        ("F.cross_entropy(net(x), y)", "x @ w"),
        ("F.cross_entropy(rectified(x @ w), y)", "z"),
        ("F.cross_entropy(rectified(rectified(x @ v) @ w), y)", "rectified(x @ v) @ w"),
        ("F.cross_entropy(forward(x), y)", "torch.relu(x @ a + b) if a is not layers[-1][0] else x @ a + b"),
        ("F.cross_entropy(torch.clamp(x @ w, min=0), y)", "x @ w"),
        ("F.cross_entropy(F.softplus(x @ w), y)", "x @ w"),
    ],
)
def test_scores_that_are_cut_off(tmp_path: Path, loss: str, instead: str) -> None:
    evidence = look(tmp_path, loss, OWN, rate=0.2)
    finding = one(nonlinearity_on_logits, evidence)
    assert (finding.level, finding.needs_proof) == ("error", True)
    assert "stands between the last layer and" in finding.saw
    assert ("that of the right class" in finding.saw) == ("softplus" not in loss)
    assert finding.instead == instead
    again = fixed(tmp_path, evidence, finding)
    assert list(nonlinearity_on_logits(again)) == []
    assert all(b.loss is not None and math.isfinite(b.loss) for b in again.trace.backwards)


@pytest.mark.parametrize(
    ("loss", "width"),
    [
        ("F.cross_entropy(torch.tanh(x @ w), y)", 2),
        ("-torch.log_softmax(F.relu6(x @ w), 1)[torch.arange(32), y].mean()", 6),
        ("(softmax(torch.sigmoid(x @ w)) - F.one_hot(y, 5)).square().mean()", 1),
        ("F.cross_entropy(squashed(x @ w), y)", 1),
    ],
)
def test_scores_that_cannot_lie_far_apart_have_a_floor(tmp_path: Path, loss: str, width: int) -> None:
    evidence = look(tmp_path, loss, OWN)
    finding = one(nonlinearity_on_logits, evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic" if width < 6 else None)
    assert f"{math.log(1 + 4 / math.e**width):.3f} = log(1 + 4/e^{width})" in finding.so
    if finding.edits:
        assert list(nonlinearity_on_logits(fixed(tmp_path, evidence, finding))) == []


@pytest.mark.parametrize("class_name", ["ReLU", "Tanh"])
def test_the_last_module_of_a_sequential_is_left_out(tmp_path: Path, class_name: str) -> None:
    before = f"net = nn.Sequential(nn.Linear(20, 9), nn.{class_name}(), nn.Linear(9, 5), nn.{class_name}())\n"
    evidence = look(tmp_path, "F.cross_entropy(net(x), y) + 0 * w.sum()", before)
    finding = one(nonlinearity_on_logits, evidence)
    assert finding.instead == "nn.Identity()"
    again = fixed(tmp_path, evidence, finding)
    assert f"nn.{class_name}(), nn.Linear(9, 5), nn.Identity())" in again.program.units[0].source
    assert list(nonlinearity_on_logits(again)) == []


def test_sigmoid_under_cross_entropy_is_told_once(tmp_path: Path) -> None:
    evidence = look(tmp_path, "F.cross_entropy(torch.sigmoid(x @ w), y)")
    assert list(nonlinearity_on_logits(evidence)) == []
    assert len(list(softmax_before_cross_entropy(evidence))) == 1


@pytest.mark.parametrize(
    "loss",
    [
        "F.cross_entropy(x @ w, y)",
        "F.cross_entropy(F.relu(x @ v) @ w, y)",
        "F.cross_entropy(9 * torch.tanh(x @ w / 9), y)",  # a soft cap, and a wide one
        "F.cross_entropy(torch.relu((x @ w)[:, :, None]).mean(2), y)",  # pooled maps of features
        "F.cross_entropy(F.softmax(F.relu(x @ x.T), 1) @ x @ w, y)",  # attention
        "F.binary_cross_entropy(torch.sigmoid(x @ w), F.one_hot(y, 5).float())",
        "F.mse_loss(torch.relu(x @ w), F.one_hot(y, 5).float())",
        "F.cross_entropy(torch.clamp(x @ w, -50, 50), y)",
        "F.cross_entropy(x @ w, F.softmax(F.relu(x @ w.detach()), 1))",  # a target
    ],
)
def test_a_nonlinearity_elsewhere_says_nothing(tmp_path: Path, loss: str) -> None:
    assert list(nonlinearity_on_logits(look(tmp_path, loss, OWN, rate=0.01))) == []
