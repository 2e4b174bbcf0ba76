"""Whose parameters an optimizer has, in small programs that are really run."""

import pytest

from byhand.doctor.checks.steps.owners import optimizer_of_other_parameters
from tests.doctor.checks._runs import evidence_of, line, patched

MAKE = "model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))\n"
OPT = "opt = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-3)\n"
LOOP = """
for epoch in range(4):
    for i in range(0, 200, 25):
        loss = F.cross_entropy(net(x[i:i + 25]), y[i:i + 25])
        opt.zero_grad()
        loss.backward()
        opt.step()
"""


def found(watched, text):
    evidence = evidence_of(watched, text)
    return evidence, list(optimizer_of_other_parameters(evidence))


def test_a_model_that_is_made_again_gets_an_optimizer_of_its_own(watched):
    text = MAKE + OPT + MAKE.replace("Tanh", "ReLU") + LOOP.replace("net(", "model(")
    evidence, (finding,) = found(watched, text)
    assert (finding.proof, finding.place.line) == ("arithmetic", line(text, "opt ="))
    assert "of the 4 parameters that this SGD steps on, none ever had a gradient" in finding.saw
    assert "nn.ReLU(), nn.Linear(8, 3))\nopt = torch.optim.SGD(" in patched(evidence, finding.edits[0])


def test_a_copy_that_learns_in_the_place_of_the_original(watched):
    text = "import copy\n" + MAKE + "net = copy.deepcopy(model)\n" + OPT + LOOP
    evidence, (finding,) = found(watched, text)
    assert finding.instead.startswith("torch.optim.SGD(net.parameters()")
    assert "opt = torch.optim.SGD(net.parameters(), lr=0.1" in patched(evidence, finding.edits[0])


def test_a_head_that_is_replaced_after_the_optimizer_was_made(watched):
    text = MAKE + OPT + "model[2] = nn.Linear(8, 3)\n" + LOOP.replace("net(", "model(")
    _, (finding,) = found(watched, text)
    assert "of the 4 parameters that this SGD steps on, 2 ever had a gradient" in finding.saw
    assert "a part of the model" in finding.so


@pytest.mark.parametrize(
    "text",
    [
        MAKE + "net = model\n" + OPT + LOOP,
        # a first model is trained, then a second one with an optimizer of its own
        MAKE + "net = model\n" + OPT + LOOP + MAKE + "net = model\n" + OPT + LOOP,
        # a frozen copy that is only asked
        "import copy\n" + MAKE + OPT + "net = model\nteacher = copy.deepcopy(model)\nteacher(x)\n" + LOOP,
        # a spare optimizer that never steps
        MAKE + OPT.replace("opt", "spare") + MAKE + "net = model\n" + OPT + LOOP,
        # gradients of a second model are only looked at
        MAKE + OPT + "net = model\n" + LOOP + MAKE + "F.cross_entropy(model(x), y).backward()\n",
        # a head alone is trained, on purpose: nobody holds the rest
        MAKE + "net = model\nopt = torch.optim.SGD(model[2].parameters(), lr=0.1)\n" + LOOP,
    ],
)
def test_optimizers_that_have_what_they_train_are_left_alone(watched, text):
    assert not found(watched, text)[1]
