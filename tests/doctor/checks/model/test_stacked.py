"""Layers in a row, and softmax between them, in programs that really run."""

import pytest

from byhand.doctor.checks.model import stacked
from tests.doctor.checks._real import DATA, line_of, seen, trained
from tests.doctor.checks._traces import patched

LOOP = trained(4, 50)
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(6, 16), nn.Linear({}, 3), nn.Linear(6, 3)
        self.drop, self.norm = nn.Dropout(0.2), nn.BatchNorm1d(16)
        self.scale = nn.Parameter(torch.ones(1))
    def forward(self, x):
        {}
model = Net()
"""


def found(check, watched, tmp_path, model, loop=LOOP):
    text = DATA + model + loop
    evidence = seen(watched, tmp_path, text)
    return text, evidence, list(check(evidence))


def linear(watched, tmp_path, forward, inside=16):
    return found(stacked.stacked_linear_layers, watched, tmp_path, NET.format(inside, forward))


@pytest.mark.parametrize(
    ("forward", "line"),
    [
        ("return self.b(self.a(x))", "return self.b(self.a(x).relu())"),
        ("return self.b(self.drop(self.a(x)) * 0.5)", "self.a(x)"),
        ("h = self.a(x)\n        return self.b(h.view(-1, 16))", "h = self.a(x).relu()"),
    ],
)
def test_two_layers_that_are_one(watched, tmp_path, forward, line):
    _, evidence, (finding,) = linear(watched, tmp_path, forward)
    assert "self.a.weight and self.b.weight: 6 numbers become 16 and then 3" in finding.saw
    assert "163 parameters do what 21 can" in finding.so
    text = patched(evidence, finding.edits[0])
    assert ".relu()" in text
    assert line in text


@pytest.mark.parametrize(
    ("forward", "inside"),
    [
        ("return self.b(self.a(x).relu())", 16),
        ("return self.b(self.norm(self.a(x)))", 16),
        ("h = self.a(x)\n        return self.b(h * h)", 16),
        ("k = x @ train_x[:16].T\n        return self.b(k * k) + self.c(x)", 16),
        ("h = self.a(x)\n        return self.b(h * torch.sigmoid(h))", 16),
        ("h = self.a(x)\n        return self.b(h) + self.c(x) * h.std(1, keepdim=True)", 16),
        ("h = self.a(x)\n        return self.b(torch.max_pool1d(h[:, None], 2)[:, 0])", 8),
    ],
)
def test_layers_with_something_between_or_beside(watched, tmp_path, forward, inside):
    *_, findings = linear(watched, tmp_path, forward, inside)
    assert findings == []


SEQUENCES = [
    "nn.Linear(6, 2), nn.Linear(2, 3)",  # a factor of low rank
    "nn.Conv1d(1, 4, 1), nn.Conv1d(4, 8, 3, groups=4), nn.Flatten(), nn.ReLU(), nn.Linear(32, 3)",
    "nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)",
    "nn.Linear(6, 16), nn.LayerNorm(16), nn.Linear(16, 3)",
]


@pytest.mark.parametrize("layers", SEQUENCES)
def test_sequences_that_are_as_they_should_be(watched, tmp_path, layers):
    shape = "nn.Unflatten(1, (1, 6)), " if "Conv" in layers else ""
    *_, findings = found(stacked.stacked_linear_layers, watched, tmp_path, f"model = nn.Sequential({shape}{layers})\n")
    assert findings == []


def test_a_frozen_projection_is_no_layer(watched, tmp_path):
    model = "model = nn.Sequential(nn.Linear(6, 16), nn.Linear(16, 3))\nmodel[0].requires_grad_(False)\n"
    *_, findings = found(stacked.stacked_linear_layers, watched, tmp_path, model)
    assert findings == []


@pytest.mark.parametrize(
    ("layers", "fixed"),
    [
        ("nn.Linear(6, 16), nn.Dropout(0.1), nn.Linear(16, 3)", "nn.Dropout(0.1), nn.ReLU(), nn.Linear(16, 3)"),
        (
            "nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 4, 3), nn.Flatten(), nn.Linear(16, 3)",
            "nn.Flatten(), nn.ReLU(), nn.Linear(16, 3)",
        ),
    ],
)
def test_in_a_sequence_the_relu_goes_before_the_second(watched, tmp_path, layers, fixed):
    _, evidence, (finding,) = found(
        stacked.stacked_linear_layers, watched, tmp_path, f"model = nn.Sequential({layers})\n"
    )
    assert fixed in patched(evidence, finding.edits[0])


NUMPY = """
W1, W2, b1 = rng.normal(0, 0.3, (6, 16)), rng.normal(0, 0.3, (16, 3)), np.zeros(16)
X, T = rows[:300].astype(float), np.eye(3)[labels[:300]]
for _ in range(30):
    h = X @ W1 + b1
    {}
    e = np.exp(h @ W2)
    p = e / e.sum(1, keepdims=True)
    d2 = (p - T) / 300
    d1 = d2 @ W2.T {}
    W2 -= 0.5 * (h.T @ d2)
    W1 -= 0.5 * (X.T @ d1)
    b1 -= 0.5 * d1.sum(0)
h = rows[300:] @ W1 + b1
{}
print("test accuracy", np.mean((h @ W2).argmax(1) == labels[300:]))
"""


def test_numpy_by_hand(watched, tmp_path):
    text, _, (finding,) = found(
        stacked.stacked_linear_layers, watched, tmp_path, NUMPY.format("pass", "", "pass"), loop=""
    )
    assert finding.edits == ()
    assert finding.place.line == line_of(text, "h = X @ W1")
    relu = "h = np.maximum(0, h)"
    *_, findings = found(
        stacked.stacked_linear_layers, watched, tmp_path, NUMPY.format(relu, "* (h > 0)", relu), loop=""
    )
    assert findings == []


@pytest.mark.parametrize(
    ("forward", "fixed"),
    [
        ("return self.b(torch.softmax(self.a(x), dim=1))", "return self.b(self.a(x).relu())"),
        ("return self.b(self.drop(self.a(x).softmax(-1)))", "return self.b(self.drop(self.a(x).relu()))"),
        ("return self.b(nn.Softmax(dim=1)(self.a(x)))", "return self.b(nn.ReLU()(self.a(x)))"),
    ],
)
def test_softmax_within(watched, tmp_path, forward, fixed):
    _, evidence, (finding,) = found(stacked.softmax_as_hidden_unit, watched, tmp_path, NET.format(16, forward))
    assert "softmax over the 16 units of a hidden layer, and then a product with self.b.weight" in finding.saw
    assert finding.needs_proof
    assert fixed in patched(evidence, finding.edits[0])


@pytest.mark.parametrize(
    "forward",
    [
        "return torch.softmax(self.b(self.a(x).relu()), 1).log()",
        "s = torch.softmax(x @ x.T, 1)\n        return self.b((s @ self.a(x)).relu())",  # attention over a batch
        "h = torch.softmax(self.a(x), 1)\n        return self.b(h * self.a(x))",  # a gate
        "return self.b(self.a(x).relu()) * torch.softmax(self.c(x), 1)",
    ],
)
def test_softmax_that_is_no_hidden_unit(watched, tmp_path, forward):
    *_, findings = found(stacked.softmax_as_hidden_unit, watched, tmp_path, NET.format(16, forward))
    assert findings == []


def test_a_model_on_top_of_probabilities_is_left_alone(watched, tmp_path):
    model = "model = nn.Sequential(nn.Linear(6, 3), nn.Softmax(dim=1), nn.Linear(3, 3))\n"
    *_, findings = found(stacked.softmax_as_hidden_unit, watched, tmp_path, model)
    assert findings == []
