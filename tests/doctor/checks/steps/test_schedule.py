"""Rates that fall to nothing, and those that fall as they should, in small programs that are really run."""

import pytest

from byhand.doctor.checks.steps.schedule import schedule_decays_to_nothing
from tests.doctor.checks._runs import evidence_of, line, patched

TORCH = """
model = nn.Linear(6, 3)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
sched = torch.optim.lr_scheduler.{schedule}
for epoch in range(20):
    for i in range(0, 200, 25):
        opt.zero_grad()
        F.cross_entropy(model(x[i:i + 25]), y[i:i + 25]).backward()
        opt.step()
{step}
"""
BATCH, EPOCH = "        sched.step()", "    sched.step()"
HAND = """
w = torch.zeros(6, 3, requires_grad=True)
lr = 0.5
for epoch in range(20):
    for i in range(0, 200, 25):
        F.cross_entropy(x[i:i + 25] @ w, y[i:i + 25]).backward()
        with torch.no_grad():
            w -= lr * w.grad
            w.grad = None
        {batch}
"""
NUMPY = """
W = np.zeros((6, 3))
lr = 0.5
onehot = np.eye(3)[labels]
for epoch in range(20):
    for i in range(0, 200, 25):
        z = rows[i:i + 25] @ W
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        W -= lr * rows[i:i + 25].T @ (p - onehot[i:i + 25]) / 25
        {batch}
    {epoch}
"""


def found(watched, text):
    evidence = evidence_of(watched, text)
    return evidence, list(schedule_decays_to_nothing(evidence))


def test_a_schedule_for_epochs_that_is_stepped_every_batch_moves_out_of_the_loop(watched):
    text = TORCH.format(schedule="ExponentialLR(opt, gamma=0.8)", step=BATCH)
    evidence, (finding,) = found(watched, text)
    assert (finding.needs_proof, finding.place.line) == (True, line(text, "sched.step()"))
    assert finding.saw.startswith("139 of 160 steps were made at less than a hundredth of the rate of 0.1")
    once, never = (patched(evidence, fix) for fix in finding.edits)
    assert "        opt.step()\n    sched.step()\n" in once
    assert "sched.step" not in never


@pytest.mark.parametrize("batch", ["lr *= 0.8", "lr = lr * 0.8", "lr = 0.5 * 0.8 ** (epoch * 8 + i // 25)"])
def test_a_rate_that_is_turned_by_hand(watched, batch):
    for program in (HAND, NUMPY):
        text = program.format(batch=batch, epoch="pass")
        _, (finding,) = found(watched, text)
        assert finding.place.line == line(text, batch)


def test_the_rate_of_an_optimizers_groups(watched):
    step = '        for group in opt.param_groups:\n            group["lr"] *= 0.8\n'
    text = TORCH.format(schedule="ConstantLR(opt)", step=step)
    evidence, (finding,) = found(watched, text)
    assert '    for group in opt.param_groups:\n        group["lr"] *= 0.8' in patched(evidence, finding.edits[0])


@pytest.mark.parametrize(
    "text",
    [
        TORCH.format(schedule="CosineAnnealingLR(opt, T_max=160)", step=BATCH),
        TORCH.format(schedule="CosineAnnealingLR(opt, T_max=20)", step=BATCH),
        TORCH.format(schedule="OneCycleLR(opt, max_lr=0.5, total_steps=161)", step=BATCH),
        TORCH.format(schedule="MultiStepLR(opt, [10, 15, 18], gamma=0.1)", step=EPOCH),
        TORCH.format(schedule="ExponentialLR(opt, gamma=0.8)", step=EPOCH),
        TORCH.format(schedule="LinearLR(opt, start_factor=1e-4, total_iters=150)", step=BATCH),  # a long warm-up
        HAND.format(batch="pass"),
        NUMPY.format(batch="pass", epoch="lr *= 0.9"),
        NUMPY.format(batch="alpha = 0.5 * 0.8 ** (epoch * 8 + i // 25)", epoch="pass"),  # of something else
    ],
)
def test_schedules_that_last_are_left_alone(watched, text):
    assert not found(watched, text)[1]
