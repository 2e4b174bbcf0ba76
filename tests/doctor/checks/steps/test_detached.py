"""Where a graph is cut, in small programs that are really run."""

import pytest

from byhand.doctor.checks.steps.detached import detached_loss
from tests.doctor.checks._runs import evidence_of, line, patched

MAKE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 3)
    def forward(self, x):
        h = self.a(x)
        {hidden}
        return self.b(torch.tanh(h))
net = Net()
opt = torch.optim.SGD({parameters}, lr=0.1)
for epoch in range(4):
    for i in range(0, 200, 25):
        opt.zero_grad()
        {loss}
        loss.backward()
        opt.step()
"""
LOSS = "loss = F.cross_entropy(net(x[i:i + 25]), y[i:i + 25])"


def made(hidden="pass", loss=LOSS, parameters="net.parameters()"):
    return MAKE.format(hidden=hidden, loss=loss, parameters=parameters)


@pytest.mark.parametrize(
    ("cut", "instead"),
    [
        ("h = h.detach()", "h"),
        ("h = torch.tanh(h).data", "torch.tanh(h)"),
        ("h = torch.tensor(h.numpy(force=True))", "h"),
    ],
)
def test_a_part_before_the_cut_is_named_and_the_cut_is_taken_out(watched, cut, instead):
    text = made(hidden=cut)
    evidence = evidence_of(watched, text)
    (finding,) = detached_loss(evidence)
    assert finding.place.line == line(text, cut)
    assert "no gradient ever came to self.a" in finding.saw
    assert (finding.needs_proof, finding.instead) == (True, instead)
    assert f"h = {instead}\n" in patched(evidence, finding.edits[0])


@pytest.mark.parametrize(
    ("cut", "instead"),
    [
        ("loss = torch.tensor(loss.item(), requires_grad=True)", "loss"),
        ("loss = torch.autograd.Variable(loss.data, requires_grad=True)", "loss"),
        ("loss = loss.detach().requires_grad_()", "loss.requires_grad_()"),
    ],
)
def test_a_loss_that_is_made_anew_teaches_nothing(watched, cut, instead):
    text = made(loss=LOSS + "\n        " + cut)
    evidence = evidence_of(watched, text)
    (finding,) = detached_loss(evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert finding.place.line == line(text, cut)
    assert "32 backward passes, and no gradient came to self.a" in finding.saw
    assert f"loss = {instead}\n" in patched(evidence, finding.edits[0])


def test_scores_that_are_computed_without_a_graph(watched):
    text = made(loss="with torch.no_grad():\n            " + LOSS + "\n        loss.requires_grad_()")
    evidence = evidence_of(watched, text)
    (finding,) = detached_loss(evidence)
    assert finding.instead == "torch.enable_grad()"
    assert "with torch.enable_grad():" in patched(evidence, finding.edits[0])


def test_a_loss_that_numpy_computed(watched):
    loss = (
        "z = net(x[i:i + 25]).detach().numpy()\n        loss = torch.tensor(((z - 1) ** 2).mean(), requires_grad=True)"
    )
    (finding,) = detached_loss(evidence_of(watched, made(loss=loss)))
    assert finding.level == "error"


@pytest.mark.parametrize(
    "text",
    [
        made(),
        made(hidden="self.seen = h.detach()"),  # a copy for a plot
        made(hidden="h = h - h.mean().detach()"),  # a stopped gradient beside one that goes on
        made(hidden="h = h.detach()", parameters="net.b.parameters()"),  # fixed features, and the optimizer knows
        made(hidden="h = h.detach()  # pretrained"),
        made(hidden="h = torch.relu(h - 1e3)"),  # dead units: gradients come, and are zero
        made(loss=LOSS + "\n        shown = torch.tensor(loss.item())"),
        # each layer has a loss of its own
        made(hidden="self.own = h[:, :3]; h = h.detach()", loss=LOSS + " + F.cross_entropy(net.own, y[i:i + 25])"),
        # a head that the loss does not use
        made().replace("nn.Linear(8, 3)\n", "nn.Linear(8, 3)\n        self.c = nn.Linear(8, 2)\n").replace(
            "return self.b", "self.aux = self.c(torch.tanh(h))\n        return self.b"
        ),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_cut(watched, text):
    assert not list(detached_loss(evidence_of(watched, text)))
