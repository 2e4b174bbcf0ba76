"""The order of a round, in small programs that are really run."""

import pytest

from byhand.doctor.checks.steps.order import step_before_backward
from tests.doctor.checks._runs import evidence_of, line, patched

NET = """
model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(4):
    for i in range(0, 200, 25):
"""
LOSS = "        loss = F.cross_entropy(model(x[i:i + 25]), y[i:i + 25])\n"
ZERO, BACK, STEP = "        opt.zero_grad()\n", "        loss.backward()\n", "        opt.step()\n"


@pytest.mark.parametrize("rows", [(LOSS, BACK, ZERO, STEP), (ZERO, LOSS, STEP, BACK), (STEP, LOSS, BACK, ZERO)])
def test_a_step_that_finds_no_gradient_comes_after_backward(watched, rows):
    evidence = evidence_of(watched, NET + "".join(rows))
    (finding,) = step_before_backward(evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert "32 backward passes gave gradients, and each of 32 steps found none" in finding.saw
    text = patched(evidence, finding.edits[0])
    assert text.index("opt.zero_grad()") < text.index("loss.backward()") < text.index("opt.step()")
    assert text.index("loss = ") < text.index("loss.backward()")


@pytest.mark.parametrize("rows", [(ZERO, LOSS, BACK, STEP), (LOSS, BACK, STEP, ZERO), (STEP, ZERO, LOSS, BACK)])
def test_every_order_in_which_a_step_has_its_gradient_is_left_alone(watched, rows):
    assert not list(step_before_backward(evidence_of(watched, NET + "".join(rows))))


def test_the_step_before_backward_uses_the_gradient_of_the_batch_before(watched):
    source = NET.replace("nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)", "nn.Linear(6, 3)") + LOSS + STEP + ZERO + BACK
    evidence = evidence_of(watched, source)
    (finding,) = step_before_backward(evidence)
    assert finding.needs_proof
    assert finding.place.line == line(source, "opt.step()")
    assert "32 of 32 backward passes came after the step of their round" in finding.saw
    assert (ZERO + BACK + STEP) in patched(evidence, finding.edits[0])


def test_gradients_that_are_cleared_before_an_update_by_hand(watched):
    source = """
w = torch.randn(6, 3, requires_grad=True)
lr = {rate}
for epoch in range(4):
    for i in range(0, 200, 25):
        loss = F.cross_entropy(x[i:i + 25] @ w, y[i:i + 25])
        loss.backward()
        {first}
        with torch.no_grad():
            w -= lr * w.grad
        {second}
"""
    bad = source.format(rate=0.1, first="w.grad.zero_()", second="pass")
    (finding,) = step_before_backward(evidence_of(watched, bad))
    assert finding.place.line == line(bad, "w.grad.zero_()")
    for other in (
        source.format(rate=0.1, first="pass", second="w.grad.zero_()"),
        source.format(rate=1e-12, first="pass", second="w.grad.zero_()"),
    ):
        assert not list(step_before_backward(evidence_of(watched, other)))


def test_a_rate_of_nothing_dead_units_and_closures_are_other_matters(watched):
    right = ZERO + LOSS + BACK + STEP
    dead = "for p in model.parameters(): nn.init.zeros_(p)\n" + "model[2].bias.requires_grad_(False)\n"
    programs = [
        NET.replace("lr=0.1", "lr=1e-20") + right,
        NET.replace("for epoch", dead + "for epoch") + right,
        NET.replace("SGD(model.parameters(), lr=0.1)", "LBFGS(model.parameters(), lr=0.1, max_iter=3)")
        + """
        def closure():
            opt.zero_grad()
            loss = F.cross_entropy(model(x[i:i + 25]), y[i:i + 25])
            loss.backward()
            return loss
        opt.step(closure)
""",
        NET + LOSS + BACK + "        if i % 100 == 75:\n            opt.step()\n            opt.zero_grad()\n",
    ]
    for program in programs:
        assert not list(step_before_backward(evidence_of(watched, program)))
