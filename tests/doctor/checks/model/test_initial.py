"""The start and the mode: traces that have the fault, and traces that only look like it."""

import numpy as np
import pytest

from byhand.doctor.checks.model import initial as model
from byhand.doctor.checks.modes import mode
from byhand.doctor.tape import Op, Tape, Value
from byhand.doctor.trace import LossCall
from tests.doctor.checks._traces import Story, parameter, patched, pictures, summary

X, Y = pictures()
START = """\
w = torch.randn(20, 10).requires_grad_()
for xb, yb in batches:
    loss = F.cross_entropy(xb @ w, yb)
    loss.backward()
"""


def found(check, evidence):
    return list(check(evidence))


# initial-loss-above-chance


def first(loss, source=START, name="cross_entropy", reduction="mean", std=1.0, at="torch.randn(20, 10)", **fields):
    story = Story(source)
    story.learn(X, Y, losses=[loss] + [1.0] * 29)
    weights = np.random.default_rng(0).normal(0, std, (20, 10))
    made = parameter("w", start=weights, end=weights + 1, place=story.at(at), **fields)
    call = LossCall(0, None, name, loss, reduction, (20, 10), (20,))
    return story.evidence(parameters=(made,), loss_calls=(call,))


def test_a_first_loss_far_above_ln_c_is_brought_down_at_the_line_that_draws():
    evidence = first(12.6)
    (finding,) = found(model.initial_loss_above_chance, evidence)
    assert finding.needs_proof
    assert "the loss starts at 12.6, where" in finding.saw
    assert "ln 10 = 2.30" in finding.saw
    assert finding.place.line == 1
    assert "w = (torch.randn(20, 10) * 0.2).requires_grad_()" in patched(evidence, finding.edits[0])


@pytest.mark.parametrize(
    ("line", "at", "expected"),
    [
        ("w = torch.randn(20, 10, requires_grad=True)\n", "torch.randn(20, 10, requires_grad=True)",
         "w = (torch.randn(20, 10) * 0.2).requires_grad_()"),
        ("w = np.random.normal(0, 1, size=(20, 10))\n", "np.random.normal(0, 1, size=(20, 10))",
         "w = (np.random.normal(0, 1, size=(20, 10)) * 0.2)"),
        ("def init(n, std=1.0):\n    return torch.randn(n) * std\n", "torch.randn(n) * std", "def init(n, std=0.2):"),
        ("w = layer.weight\nnn.init.normal_(layer.weight)\n", "layer.weight", "nn.init.normal_(layer.weight, std=0.2)"),
        ("w = layer.weight\nnn.init.normal_(layer.weight, std=1)\n", "layer.weight",
         "nn.init.normal_(layer.weight, std=0.2)"),
    ],
)  # fmt: skip
def test_the_scale_is_edited_however_the_weights_are_drawn(line, at, expected):
    evidence = first(12.6, source=line + "loss.backward()\n", at=at)
    (finding,) = found(model.initial_loss_above_chance, evidence)
    assert expected in patched(evidence, finding.edits[0])


@pytest.mark.parametrize(
    "told",
    [
        {"loss": 2.4},
        {"loss": 3.3},
        {"loss": 48.0, "reduction": "sum"},  # 2.4 a row
        {"loss": 12.6, "name": "mse_loss"},
        {"loss": 12.6, "std": 0.1},  # the pixels are large, not the weights
    ],
)
def test_usual_starts_sums_and_losses_of_another_kind_are_left_alone(told):
    assert not found(model.initial_loss_above_chance, first(told.pop("loss"), **told))


def test_without_autograd_the_first_probabilities_tell():
    story = Story("w = np.random.randn(20, 10)\n")
    story.forward("train", X[:20], Y[:20])
    scores = np.random.default_rng(0).normal(0, 8, (20, 10))
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    values = (
        Value(summary(scores), scores, None, None, False, False),
        Value(summary(p), p, "p", None, False, False),
    )
    tape = Tape(0, 0, "train", values, (Op("div", None, (0,), (), {}, 1),), None)
    weights = np.random.default_rng(0).normal(0, 1, (20, 10))
    made = parameter("w", start=weights, end=weights + 1, place=story.at("np.random.randn(20, 10)"))
    (finding,) = found(model.initial_loss_above_chance, story.evidence(tapes=(tape,), parameters=(made,)))
    expected = -np.log(np.maximum(p, 1e-30)).mean()
    assert f"the loss starts at {expected:.3g}" in finding.saw


def test_one_hot_labels_are_no_answers():
    story = Story("w = np.random.randn(20, 10)\n")
    story.forward("train", X[:20], Y[:20])
    targets = np.eye(10)[Y[:20]]
    values = (
        Value(summary(Y[:20]), Y[:20], None, None, True, False),
        Value(summary(targets), targets, "t", None, False, False),
    )
    tape = Tape(0, 0, "train", values, (Op("getitem", None, (0,), (), {}, 1),), None)
    weights = np.random.default_rng(0).normal(0, 1, (20, 10))
    made = parameter("w", start=weights, end=weights + 1, place=story.at("np.random.randn(20, 10)"))
    assert not found(model.initial_loss_above_chance, story.evidence(tapes=(tape,), parameters=(made,)))


# evaluated-in-train-mode

MODE = """\
def validate(dl):
    for xb, yb in dl:
        hits += model(xb).argmax(1)
for epoch in range(3):
    for xb, yb in train_dl:
        loss = net(xb)
        loss.backward()
    validate(valid_dl)
"""
APART = pictures(200, seed=5)


def judged(times=1, source=MODE, **fields):
    story = Story(source)
    story.learn(X, Y, at=("net(xb)",), noisy=("Dropout",))
    for _ in range(times):
        story.judge(*APART, batch=50, at=("model(xb)", "validate(valid_dl)"), **fields)
    return story.evidence()


def test_dropout_in_an_evaluation_is_switched_off_and_on_again():
    evidence = judged(noisy=("Dropout",))
    (finding,) = found(mode.evaluated_in_train_mode, evidence)
    assert finding.saw == "Dropout was in training mode while 200 held-out rows were judged"
    assert finding.place.line == 3
    text = patched(evidence, finding.edits[0])
    assert "def validate(dl):\n    model.eval()\n    for xb, yb in dl:" in text
    assert "for epoch in range(3):\n    net.train()\n    for xb, yb in train_dl:" in text


def test_batch_norm_makes_answers_depend_on_the_batch():
    (finding,) = found(mode.evaluated_in_train_mode, judged(noisy=("BatchNorm1d",)))
    assert finding.so == "a row's answer depends on its batch"


def test_the_models_own_forward_is_not_the_place_to_switch():
    source = MODE + "class M:\n    def forward(self, x):\n        return self.fc(x)\n"
    story = Story(source)
    story.learn(X, Y, at=("self.fc(x)", "net(xb)"))
    story.judge(*APART, at=("self.fc(x)", "model(xb)", "validate(valid_dl)"), noisy=("Dropout",))
    (finding,) = found(mode.evaluated_in_train_mode, story.evidence())
    assert finding.place.line == 3


def test_evaluation_mode_models_without_such_layers_and_dropout_on_purpose_are_left_alone():
    assert not found(mode.evaluated_in_train_mode, judged())
    assert not found(mode.evaluated_in_train_mode, judged(fixed=("Dropout",)))
    assert not found(mode.evaluated_in_train_mode, judged(noisy=("Dropout",), fixed=("Dropout",)))
    assert not found(mode.evaluated_in_train_mode, judged(times=5, noisy=("Dropout",)))


# all-zero-hidden-weights

ZEROS = 'params = {"W1": np.zeros((20, 8)), "W2": np.zeros((8, 10))}\nb = np.zeros(10)\n'


def layers(first_start, last_start=0.0, source=ZEROS, alike=True, training=0, name='params["W1"]'):
    story = Story(source)
    story.learn(X, Y)
    hidden = parameter(name, (20, 8), start=first_start, end=0.5, alike=alike, training=training)
    last = parameter('params["W2"]', (8, 10), start=last_start, end=0.5)
    return story.evidence(parameters=(hidden, last))


def test_hidden_units_that_start_and_stay_alike_are_drawn_instead():
    evidence = layers(0.0)
    (finding,) = found(model.all_zero_hidden_weights, evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert (
        finding.saw
        == 'every number of params["W1"] (20 × 8) starts at 0, and its 8 units were still all equal at the end'
    )
    assert '"W1": np.random.normal(0, 0.2, (20, 8))' in patched(evidence, finding.edits[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("W1 = torch.zeros(20, 8, requires_grad=True)\n", "W1 = (torch.randn(20, 8) * 0.2).requires_grad_()"),
        ("W1 = np.ones((20, 8))\n", "W1 = np.random.normal(0, 0.2, (20, 8))"),
        (
            "nn.init.zeros_(m.weight)\nnn.init.zeros_(m.bias)\n",
            "nn.init.normal_(m.weight, std=0.2)\nnn.init.zeros_(m.bias)",
        ),
        ("m.weight.data.fill_(0)\n", "m.weight.data.normal_(0, 0.2)"),
    ],
)
def test_weights_are_drawn_in_the_programs_own_way(text, expected):
    evidence = layers(0.0, last_start=np.random.default_rng(0).random((8, 10)), source=text, name="W1")
    (finding,) = found(model.all_zero_hidden_weights, evidence)
    assert expected in patched(evidence, finding.edits[0])


def test_random_weights_units_that_parted_and_one_layer_from_zero_are_left_alone():
    assert not found(model.all_zero_hidden_weights, layers(np.random.default_rng(0).random((20, 8))))
    assert not found(model.all_zero_hidden_weights, layers(0.0, alike=False))
    assert not found(model.all_zero_hidden_weights, layers(0.0, training=None))
    story = Story("W = np.zeros((20, 10))\n")
    story.learn(X, Y)
    alone = parameter("W", (20, 10), start=0.0, end=0.5, alike=True)
    assert not found(model.all_zero_hidden_weights, story.evidence(parameters=(alone,)))
