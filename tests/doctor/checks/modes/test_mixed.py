"""Rows that get into each other, in programs that really run."""

import pytest

from byhand.doctor.checks.modes import mixed
from tests.doctor.checks._real import DATA, seen, trained
from tests.doctor.checks._traces import patched

NET = (
    DATA
    + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.c, self.b = nn.Linear(6, 8), nn.Linear(2, 8), nn.Linear(24, 3)
        self.d = nn.Linear(8, 3)
    def forward(self, x):
        {}
model = Net()"""
    + trained(2, 50)
)


def found(watched, tmp_path, forward):
    evidence = seen(watched, tmp_path, NET.format(forward))
    return evidence, list(mixed.rows_mixed_across_batch(evidence))


@pytest.mark.parametrize(
    ("forward", "fixed"),
    [
        ("h = self.c(x.view(-1, 3, 2)).relu()\n        return self.b(h.transpose(0, 1).reshape(len(x), -1))",
         "self.b(h.reshape(len(x), -1))"),
        ("h = self.c(x.view(-1, 3, 2)).relu().transpose(0, 1)\n        return self.b(h.reshape(len(x), -1))",
         "self.b(h.transpose(0, 1).reshape(len(x), -1))"),
        ("h = self.a(x).relu()\n        return self.d(h.t().reshape(len(x), 8))",
         "self.d(h.t().transpose(0, 1).reshape"),
    ],
)  # fmt: skip
def test_a_reshape_where_axes_are_to_be_exchanged(watched, tmp_path, forward, fixed):
    evidence, (finding,) = found(watched, tmp_path, forward)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert "of its 100 rows numbers of other rows" in finding.saw
    assert fixed in patched(evidence, finding.edits[0])


@pytest.mark.parametrize(
    ("line", "fixed"),
    [
        ("h = F.normalize(h, dim=0)", "F.normalize(h, dim=1)"),
        ("h = h - h.mean(0)", "h.mean(1)"),
        ("h = h * torch.softmax(h, dim=0)", "torch.softmax(h, dim=1)"),
    ],
)
def test_a_statistic_along_the_rows(watched, tmp_path, line, fixed):
    evidence, (finding,) = found(watched, tmp_path, f"h = self.a(x).relu()\n        {line}\n        return self.d(h)")
    assert finding.level == "warning"
    assert "goes along axis 0 of 100 × 8, which are the 100 rows" in finding.saw
    assert fixed in patched(evidence, finding.edits[0])


@pytest.mark.parametrize(
    "forward",
    [
        "h = self.c(x.view(-1, 3, 2)).relu()\n        return self.b(h.reshape(len(x), -1))",
        "h = self.c(x.view(-1, 3, 2)).relu()\n        return self.b(h.permute(2, 0, 1).permute(1, 2, 0).flatten(1))",
        "h = self.c(x.view(-1, 3, 2)).relu()\n        return self.b(h.transpose(1, 2).reshape(len(x), -1))",
        "h = self.a(x).relu()\n        return self.d(h.t().t())",
        "h = self.a(x).relu()\n        h = h / h.norm(dim=1, keepdim=True).clamp(min=1e-3)\n        return self.d(h)",
        "h = self.a(x).relu()\n        self.seen = h.mean(0)\n        return self.d(h)",
        "h = self.a(x - x.mean(0)).relu()\n        return self.d(h)",
        "z = self.d(self.a(x).relu())\n        return z - z.max()",
        "h = self.c(x.view(-1, 3, 2)).relu().mean(1)\n        return self.d(h)",
    ],
)
def test_rows_that_stay_by_themselves(watched, tmp_path, forward):
    assert found(watched, tmp_path, forward)[1] == []
