"""Graphs that are held without a use, and those that are used, in small programs that are really run."""

import pytest

from byhand.doctor.checks.program.graphs import graph_kept_by_total
from tests.doctor.checks._runs import evidence_of, line

LOOP = """
model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
opt = torch.optim.SGD(model.parameters(), lr=0.1)
losses = []
for epoch in range(3):
    total = 0.0
    for i in range(0, 200, 10):
        loss = F.cross_entropy(model(x[i:i + 10]), y[i:i + 10])
        opt.zero_grad()
        loss.backward()
        opt.step()
        {keep}
"""


def found(watched, text):
    return list(graph_kept_by_total(evidence_of(watched, text)))


@pytest.mark.parametrize(
    ("keep", "count", "instead"),
    [
        ("total += loss", 20, "total += loss.item()"),
        ("total = total + loss * 10", 20, "add up loss.item(), or loss.detach(), which has no graph"),
        ("losses.append(loss)", 60, "losses.append(loss.item())"),
    ],
)
def test_what_holds_the_graphs_of_many_rounds(watched, keep, count, instead):
    text = LOOP.format(keep=keep)
    (finding,) = found(watched, text)
    assert (finding.level, finding.place.line, finding.instead) == ("note", line(text, keep), instead)
    assert f"holds the graphs of {count} rounds" in finding.saw
    assert " MB" not in finding.saw  # the backward pass has freed what they held


def test_an_evaluation_with_a_graph_holds_its_activations_too(watched):
    text = (
        LOOP.format(keep="pass")
        + "total = 0.0\nfor i in range(200):\n    total += F.cross_entropy(model(x[i % 50:]), y[i % 50:])\n"
    )
    (finding,) = found(watched, text)
    assert "200 rounds" in finding.saw
    assert " MB of what they computed" in finding.saw


@pytest.mark.parametrize(
    "text",
    [
        LOOP.format(keep="total += loss.item()"),
        LOOP.format(keep="total += loss.detach(); losses.append(float(loss))"),
        LOOP.format(keep="losses = (losses + [loss])[-5:]"),
        LOOP.format(keep="recent = []; recent.append(loss)"),
        # added up for one backward pass
        LOOP.format(keep="pass")
        + "total = 0\nfor i in range(0, 200, 10):\n    total += F.cross_entropy(model(x[i:i + 10]), y[i:i + 10])\n"
        "opt.zero_grad(); (total / 20).backward(); opt.step()\n",
        LOOP.format(keep="pass")
        + "for i in range(0, 200, 10):\n    losses.append(F.cross_entropy(model(x[i:i + 10]), y[i:i + 10]))\n"
        "opt.zero_grad(); torch.stack(losses).mean().backward(); opt.step()\n",
        # sums inside the model, which is also asked without a pass
        """
blocks = nn.ModuleList([nn.Linear(6, 6) for _ in range(15)])
def net(h):
    for block in blocks:
        h = h + block(torch.relu(h))
    return h
net(x)
net(x[:50])
""",
    ],
)
def test_what_is_used_or_has_no_graph(watched, text):
    assert not found(watched, text)
