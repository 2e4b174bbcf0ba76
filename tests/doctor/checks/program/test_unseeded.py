"""What is drawn at random, in small programs that are really run."""

import pytest

from byhand.doctor.checks.program.unseeded import unseeded
from tests.doctor.checks._runs import DATA, evidence_of, line

LOOP = """
def train(model, rate=0.1):
    opt = torch.optim.SGD(model.parameters(), lr=rate)
    for epoch in range(3):
        for i in range(0, 200, 20):
            opt.zero_grad()
            F.cross_entropy(model(x[i:i + 20]), y[i:i + 20]).backward()
            opt.step()
"""
NO_SEED = DATA.replace("torch.manual_seed(0)\n", "\n").replace(
    "rng = np.random.default_rng(0)\n", "rng = np.random.RandomState(0); rng.integers = rng.randint\n"
)


@pytest.fixture
def found(watched, monkeypatch):
    monkeypatch.setattr("tests.doctor.checks._runs.DATA", NO_SEED.replace("rng.integers = rng.randint", "pass").replace(
        "rng.integers", "rng.randint"
    ))  # fmt: skip
    return lambda text: list(unseeded(evidence_of(watched, text)))


def test_weights_that_are_drawn_without_a_seed(found):
    text = LOOP + "net = nn.Linear(6, 3)\ntrain(net)\n"
    (finding,) = found(text)
    assert (finding.level, finding.place.line) == ("note", line(text, "net = nn.Linear"))
    assert finding.saw == "the weights are drawn at random, and no seed is set"
    assert finding.instead.startswith("torch.manual_seed(0)")


def test_the_order_of_a_loader(found):
    text = """
from torch.utils.data import DataLoader, TensorDataset
net = nn.Linear(6, 3)
nn.init.zeros_(net.weight)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for xb, yb in DataLoader(TensorDataset(x, y), 20, shuffle={}):
    opt.zero_grad(); F.cross_entropy(net(xb), yb).backward(); opt.step()
"""
    (finding,) = found(text.format("True"))
    assert finding.saw.startswith("the order of the rows is drawn")
    assert not found(text.format("False"))


@pytest.mark.parametrize(
    "text",
    [
        "torch.manual_seed(3)\n" + LOOP + "train(nn.Linear(6, 3))\n",
        LOOP + "net = nn.Linear(6, 3)\nnn.init.zeros_(net.weight)\ntrain(net)\n",
        LOOP + "nn.Linear(6, 3)\n",
    ],
)
def test_programs_that_draw_nothing_or_know_what(found, text):
    assert not found(text)
