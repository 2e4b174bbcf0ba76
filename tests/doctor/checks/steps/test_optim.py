"""Gradients, steps, parameters and rates: traces that have the fault, and traces that only look like it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from byhand.doctor.checks.reading.literals import bound
from byhand.doctor.checks.steps import optim, rate
from byhand.doctor.checks.table import GAIN
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.trace import End, Training
from tests.doctor.checks._traces import Story, parameter, patched, pictures

LOOP = """\
opt = SGD(net.parameters(), lr=0.1)
for epoch in range(10):
    for xb, yb in batches:
        loss = net(xb)
        loss.backward()
        opt.step()
print(net(X_test))
"""
HAND = """\
lr = 0.1
w1 = make()
w2 = make()
for epoch in range(10):
    for xb, yb in batches:
        loss = f(net(xb))
        loss.backward()
        w1.data -= lr * w1.grad
        b1.data -= lr * b1.grad
"""
X, Y = pictures()
STEPS = 300


def found(check, evidence):
    return list(check(evidence))


def trained(source=LOOP, losses=None, accuracy=0.5, at="opt.step()", **fields):
    story = Story(source)
    story.learn(X, Y, epochs=10, losses=losses, at="net(xb)", **fields)
    story.judge(*pictures(200, seed=5), accuracy=accuracy)
    return story, {"trainings": (story.training(at, "for epoch in range(10):", epochs=10),)}


# gradients-never-zeroed


def test_old_gradients_after_every_update_are_cleared_after_the_step():
    story, fields = trained(stale=True)
    (finding,) = found(optim.gradients_never_zeroed, story.evidence(**fields))
    assert finding.needs_proof
    assert finding.place.line == 5
    assert "all 299 updates" in finding.saw
    assert "        opt.step()\n        opt.zero_grad()\n" in patched(story.evidence(), finding.edits[0])


def test_each_parameter_that_is_moved_by_hand_forgets_its_own():
    story, fields = trained(HAND, at="w1.data -= lr * w1.grad", stale=True)
    (finding,) = found(optim.gradients_never_zeroed, story.evidence(**fields))
    text = patched(story.evidence(), finding.edits[0])
    assert (
        "w1.data -= lr * w1.grad\n        w1.grad = None\n        b1.data -= lr * b1.grad\n        b1.grad = None"
        in text
    )


def test_fresh_gradients_and_those_of_parameters_outside_the_optimizer_are_left_alone():
    story, fields = trained()
    assert not found(optim.gradients_never_zeroed, story.evidence(**fields))
    story, fields = trained(stale=True)
    owned, backbone = parameter(optimizer=0), parameter("backbone", changed=False, training=None)
    fields |= {"parameters": (owned, backbone), "optimizers": (story.optimizer("SGD(net.parameters(), lr=0.1)"),)}
    assert not found(optim.gradients_never_zeroed, story.evidence(**fields))


def test_two_models_that_learn_by_turns_are_left_alone():
    story, fields = trained(stale=True)
    other = replace(fields["trainings"][0], first=3)
    assert not found(optim.gradients_never_zeroed, story.evidence(trainings=(*fields["trainings"], other)))


# step-never-taken


def untouched(**fields):
    return parameter(start=0.1, end=0.1, training=None, **fields)


def test_backward_without_a_step_is_proven_by_the_bits():
    story = Story(LOOP.replace("        opt.step()\n", ""))
    story.learn(X, Y, epochs=2, step=False, at="net(xb)")
    optimizer = story.optimizer("SGD(net.parameters(), lr=0.1)", steps=0)
    fields = {"parameters": (untouched(optimizer=0),), "optimizers": (optimizer,), "trainings": ()}
    (finding,) = found(optim.step_never_taken, story.evidence(**fields))
    assert (finding.level, finding.proof, finding.place.line) == ("error", "arithmetic", 5)
    assert finding.saw == "60 backward passes, and w the same to the bit before and after"
    assert "loss.backward()\n        opt.step()\n        opt.zero_grad()" in patched(story.evidence(), finding.edits[0])


def test_a_step_that_is_named_and_not_called_is_called():
    story = Story(LOOP.replace("opt.step()", "opt.step"))
    story.learn(X, Y, epochs=2, step=False, at="net(xb)")
    fields = {"parameters": (untouched(),), "optimizers": (story.optimizer("SGD", steps=0),), "trainings": ()}
    (finding,) = found(optim.step_never_taken, story.evidence(**fields))
    assert finding.place.line == 6
    assert "opt.step()" in patched(story.evidence(), finding.edits[0])


def test_a_loop_that_moves_a_name_is_made_to_move_the_parameter():
    story = Story("for xb in batches:\n    loss.backward()\n    for p in ps:\n        p = p - 0.1 * p.grad\n")
    story.learn(X, Y, epochs=2, step=False)
    (finding,) = found(optim.step_never_taken, story.evidence(parameters=(untouched(),), trainings=(story.training(),)))
    assert finding.place.line == 4
    assert "        p.data -= 0.1 * p.grad\n" in patched(story.evidence(), finding.edits[0])


def test_attacks_pictures_and_programs_that_learn_are_left_alone():
    once = Story("x.requires_grad = True\nscore = net(x)\nloss.backward()\n")
    once.learn(X, Y, step=False, at="net(x)")
    assert not found(optim.step_never_taken, once.evidence(parameters=(untouched(),), trainings=()))
    attack = Story("loss = net(xb)\nloss.backward()\n")  # each row once, and no optimizer: nothing is being trained
    attack.learn(X, Y, step=False, at="net(xb)")
    assert not found(optim.step_never_taken, attack.evidence(parameters=(untouched(),), trainings=()))
    story, fields = trained()
    assert not found(optim.step_never_taken, story.evidence(**fields))


# parameter-never-updated


def test_one_that_the_update_forgets_gets_the_line_of_another():
    story, fields = trained(HAND, at="w1.data -= lr * w1.grad")
    lost = parameter("w2", start=0.1, end=0.1, training=None, place=story.at("make()"))
    fields["parameters"] = (parameter("w1"), replace(lost, place=None))
    fields["trainings"] = (replace(fields["trainings"][0], hand=True),)
    (finding,) = found(optim.parameter_never_updated, story.evidence(**fields))
    assert (finding.proof, finding.place.line) == ("arithmetic", 8)
    assert finding.saw == "w2 received gradients and stayed the same to the bit over 300 updates"
    assert "w1.data -= lr * w1.grad\n        w2.data -= lr * w2.grad\n" in patched(story.evidence(), finding.edits[0])


LAYERS = """\
class Net(nn.Module):
    def __init__(self):
        self.layers = [nn.Linear(4, 4), nn.Linear(4, 4)]
        self.out = nn.Linear(4, 2)
opt = SGD(model.parameters(), lr=0.1)
"""


def test_layers_in_a_list_are_put_into_a_module_list():
    story = Story(LAYERS)
    story.learn(X, Y)
    hidden = parameter("self.layers", start=0.1, end=0.1, training=None, place=story.at("nn.Linear(4, 4), nn"))
    place = story.at("[nn.Linear(4, 4), nn.Linear(4, 4)]")
    made = (parameter("self.out", optimizer=0), replace(hidden, place=place))
    optimizer = story.optimizer("SGD(model.parameters(), lr=0.1)")
    (finding,) = found(optim.parameter_never_updated, story.evidence(parameters=made, optimizers=(optimizer,)))
    assert finding.place.line == 3
    assert "nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])" in patched(story.evidence(), finding.edits[0])


def test_a_list_that_lacks_one_is_completed():
    source = "w1 = a()\nb1 = b()\nopt = SGD([w1], lr=0.1)\n"
    story = Story(source)
    story.learn(X, Y)
    made = (
        parameter("p", place=story.at("a()"), optimizer=0),
        parameter("p", start=0.0, end=0.0, training=None, place=story.at("b()")),
    )
    optimizer = story.optimizer("SGD([w1], lr=0.1)")
    (finding,) = found(optim.parameter_never_updated, story.evidence(parameters=made, optimizers=(optimizer,)))
    assert "SGD([w1, b1], lr=0.1)" in patched(story.evidence(), finding.edits[0])


def test_a_step_that_is_given_to_a_name_nobody_reads_is_found_in_the_text():
    story = Story(
        "class L:\n    def step(self, lr):\n        self.w -= lr * self.g\n        b = self.b - lr * self.h\n"
    )
    story.learn(X, Y)
    (finding,) = found(optim.parameter_never_updated, story.evidence())
    assert finding.place.line == 4
    assert "        self.b -= lr * self.h\n" in patched(story.evidence(), finding.edits[0])


@pytest.mark.parametrize(
    "change",
    [{"frozen": True}, {"reached": False}, {"used": False}, {"label": "teacher.weight"}, {"optimizer": 0}],
)
def test_what_stays_on_purpose_or_gets_no_gradient_is_left_alone(change):
    change = dict(change)
    story, fields = trained()
    fields["parameters"] = (
        parameter("a", optimizer=0),
        parameter(change.pop("label", "b"), start=0.1, end=0.1, **{"training": None} | change),
    )
    fields["optimizers"] = (story.optimizer("SGD"),)
    assert not found(optim.parameter_never_updated, story.evidence(**fields))


@pytest.mark.parametrize("loading", ["net.load_state_dict(old)", "net = resnet18(weights=best)", "freeze(net)"])
def test_a_network_learnt_elsewhere_under_a_new_head_is_left_alone(loading):
    story, fields = trained(f"{loading}\n{LOOP}")
    fields["parameters"] = (parameter("head", optimizer=0), parameter("body", start=0.1, end=0.1, training=None))
    fields["optimizers"] = (story.optimizer("SGD"),)
    assert not found(optim.parameter_never_updated, story.evidence(**fields))


def test_weights_by_name_are_not_weights_that_were_loaded():
    story, fields = trained("weights = torch.randn(784, 10)\n" + LOOP)
    lost = parameter("bias", start=0.1, end=0.1, training=None)
    fields["parameters"] = (parameter("weights", optimizer=0), lost)
    fields["optimizers"] = (story.optimizer("SGD"),)
    (finding,) = found(optim.parameter_never_updated, story.evidence(**fields))
    assert finding.saw.startswith("bias received gradients and stayed the same to the bit")


# The rate, and the number of epochs.

TIME = np.linspace(0, 1, STEPS)
NOISE = np.random.default_rng(0).normal(0, 0.05, STEPS)
COURSES = {
    "explodes": 2.3 + 40 * TIME**2,
    "not finite": np.where(TIME < 0.2, 2.3 + 90 * TIME, np.nan),
    "leaps and lies still": np.where(np.arange(STEPS) == 2, 90.0, 2.3 + NOISE),
    "swings": 1.0 + 0.8 * np.sin(TIME * 40) + 1.3 * (TIME == 0),
    "crawls": 2.3 - 0.1 * TIME + NOISE / 5,
    "still falling": 2.3 * np.exp(-2 * TIME) + 0.3 + NOISE / 5,
    "settled": 0.3 + 2 * np.exp(-20 * TIME) + NOISE,
    "noisy and settled": 0.3 + 2 * np.exp(-20 * TIME) + 3 * np.abs(NOISE),
}


def named(kind, accuracy=0.6, source=LOOP):
    story, fields = trained(source, losses=COURSES[kind], accuracy=accuracy)
    evidence = story.evidence(**fields)
    checks = (rate.learning_rate_too_high, rate.learning_rate_too_low, rate.stopped_while_learning)
    return {f.check: f for check in checks for f in check(evidence)}


@pytest.mark.parametrize("kind", ["explodes", "not finite", "leaps and lies still", "swings"])
def test_a_restless_loss_is_a_rate_that_may_be_too_high(kind):
    findings = named(kind)
    assert list(findings) == ["learning-rate-too-high"]
    finding = findings["learning-rate-too-high"]
    assert finding.needs_proof
    assert finding.place.line == 1
    assert [fix[0].text for fix in finding.edits] == ["0.01", "0.033", "0.001"]


def test_a_loss_that_crawls_is_a_rate_that_may_be_too_low():
    finding = named("crawls")["learning-rate-too-low"]
    assert [fix[0].text for fix in finding.edits] == ["1.0", "10.0", "100.0", "0.3"]


def test_a_loss_that_falls_at_the_end_may_have_been_stopped_too_early():
    findings = named("still falling")
    finding = findings["stopped-while-learning"]
    assert (finding.level, finding.place.line) == ("warning", 2)
    assert [fix[0].text for fix in finding.edits] == ["40", "20"]


@pytest.mark.parametrize("kind", ["settled", "noisy and settled"])
def test_a_loss_at_rest_raises_no_suspicion(kind):
    assert not named(kind)


@pytest.mark.parametrize("kind", list(COURSES))
def test_a_model_that_is_right_raises_none_either(kind):
    assert not named(kind, accuracy=0.98)


def test_a_run_that_was_cut_short_was_not_stopped_by_its_author():
    story, fields = trained(losses=COURSES["still falling"])
    evidence = story.evidence(**fields, end=End("shortened", 1.0))
    assert not found(rate.stopped_while_learning, evidence)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("parser.add_argument('--lr', type=float, default=0.1)\nopt = SGD(ps, args.lr)\n", 1),
        ("LR = 0.1\nopt = SGD(ps, LR)\n", 1),
        ("config = {'lr': 0.1}\nopt = SGD(ps, config['lr'])\n", 1),
        ("def train(rate, lr=0.1):\n    opt = SGD(ps, lr)\n", 1),
        ("def train(x, lr):\n    opt = SGD(ps, lr)\ntrain(x, 0.1)\n", 3),
        ("for lr in (0.001, 0.1):\n    opt = SGD(ps, lr)\n", 1),
        ("class A:\n    lr: float = 1e-1\nopt = SGD(ps, A.lr)\n", 2),
        ("momentum = 0.1\nopt = SGD(ps, momentum=momentum,\n    lr=1e-1)\n", 3),
    ],
)
def test_the_rate_is_found_where_it_is_written(text, expected):
    source = text + "for epoch in range(10):\n    net(xb)\n    loss.backward()\n    opt.step()\n"
    assert named("explodes", source=source)["learning-rate-too-high"].place.line == expected


def test_a_rate_that_is_no_literal_is_scaled_where_it_gets_its_name():
    source = "lr = float(args.Rate)\nopt = SGD(ps, lr)\nfor epoch in range(10):\n    net(xb)\n    loss.backward()\n"
    finding = named("crawls", source=source + "    opt.step()\n")["learning-rate-too-low"]
    assert (finding.place.line, finding.instead) == (1, "10.0 * float(args.Rate)")
    assert finding.edits[1][0].text == "100.0 * "


def test_numbers_are_found_in_another_cell_than_the_function_that_takes_them():
    cells = ("def train(x, rate, rounds):\n    for i in range(rounds):\n        net(x)\n", "train(x, 0.1, 10)\n")
    program = Program(Path("my.ipynb"), tuple(Unit("my.ipynb", k + 1, one, one) for k, one in enumerate(cells)))
    trace = Story("").evidence().trace
    assert [place.cell for place in bound(program, trace, "rate", 0.1)] == [2]
    assert [place.cell for place in bound(program, trace, "rounds", 10)] == [2]


@pytest.mark.parametrize(
    ("text", "loop", "expected"),
    [
        ("EPOCHS = 10\n", "for epoch in range(EPOCHS):", 1),
        ("parser.add_argument('--n-epochs', default=10)\n", "for epoch in range(args.n_epochs):", 1),
        ("def fit(epochs):\n    pass\nfit(10)\n", "for epoch in range(epochs):", 3),
        ("", "for epoch in range(1, 10 + 1):", 1),
    ],
)
def test_the_number_of_epochs_is_found_where_it_is_written(text, loop, expected):
    story = Story(f"{text}{loop}\n    net(xb)\n    loss.backward()\n")
    story.learn(X, Y, epochs=10, losses=COURSES["still falling"])
    evidence = story.evidence(trainings=(story.training(None, loop, epochs=10),))
    (finding,) = found(rate.stopped_while_learning, evidence)
    assert finding.place.line == expected


def test_a_program_that_tries_several_rates_is_judged_by_its_best():
    story = Story("for lr in (0.001, 0.1):\n    train(lr)\n")
    for training, accuracy in ((0, 0.2), (1, 0.6)):
        story.learn(X, Y, epochs=10, losses=COURSES["crawls"], training=training)
        story.judge(*pictures(200, seed=5), accuracy=accuracy, training=training)
    rates = tuple(
        Training(300 * i, 300 * i + 300, story.at("train(lr)"), True, rate, (), None, None)
        for i, rate in enumerate((0.001, 0.1))
    )
    (finding,) = found(rate.learning_rate_too_low, story.evidence(trainings=rates))
    assert finding.saw.endswith("at a rate of 0.1")
    assert story.evidence().program.text(finding.place) == "0.1"


def test_the_gains_that_confirm_a_suspicion_are_stated():
    assert set(GAIN) == {
        "learning-rate-too-high",
        "learning-rate-too-low",
        "stopped-while-learning",
        "exploding-gradients",
    }
