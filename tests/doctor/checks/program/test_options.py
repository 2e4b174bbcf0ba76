"""Options and names that nobody reads, and those that somebody does, in small programs that are really run."""

import pytest

from byhand.doctor.checks.program.options import option_never_used
from tests.doctor.checks._runs import evidence_of, line

ARGUMENTS = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--batch-size", type=int, default=20)
parser.add_argument("--note", default="")
args = parser.parse_args()
"""
LOOP = """
def train(model, lr, size):
    opt = torch.optim.SGD(model.parameters(), lr=lr)
    for epoch in range(4):
        for i in range(0, 200, size):
            opt.zero_grad()
            F.cross_entropy(model(x[i:i + size]), y[i:i + size]).backward()
            opt.step()
"""


def found(watched, text, **fields):
    return list(option_never_used(evidence_of(watched, text, **fields)))


def test_an_option_that_nobody_looks_at_and_the_number_in_its_place(watched):
    text = ARGUMENTS + LOOP + "print(args)\ntrain(nn.Linear(6, 3), 0.5, args.batch_size)\n"
    (finding,) = found(watched, text)
    assert (finding.level, finding.place.line) == ("warning", line(text, "train(nn.Linear"))
    assert "--lr (0.1 here) is parsed, and nothing in the run looked at it; the steps were made at 0.5" in finding.saw
    assert finding.instead == "train(nn.Linear(6, 3), args.lr, args.batch_size)"


def test_an_option_whose_number_happens_to_be_the_one_in_use(watched):
    text = ARGUMENTS + LOOP + "train(nn.Linear(6, 3), args.lr, 20)\n"
    (finding,) = found(watched, text)
    assert "--batch-size (20 here) is parsed" in finding.saw
    assert "the batches had 20, by chance the same" in finding.saw
    assert finding.place.line == line(text, 'parser.add_argument("--batch-size"')


@pytest.mark.parametrize(
    "use",
    [
        "train(nn.Linear(6, 3), args.lr, args.batch_size)",
        "train(nn.Linear(6, 3), **{'lr': vars(args)['lr'], 'size': 25})",
        "train(nn.Linear(6, 3), getattr(args, 'l' + 'r'), getattr(args, 'batch' + '_size'))",
        "def go(a): train(nn.Linear(6, 3), a.lr, a.batch_size)\ngo(args)",
        "train(nn.Linear(6, 3), 0.5, 25)\nif args.note:\n    train(nn.Linear(6, 3), args.lr, args.batch_size)",
        "import copy\nhere = copy.copy(args)\ntrain(nn.Linear(6, 3), here.lr, here.batch_size)",
    ],
)
def test_options_that_are_used_in_one_way_or_another(watched, use):
    assert not found(watched, ARGUMENTS + LOOP + use + "\n")


def test_a_program_that_did_not_come_to_its_end_may_have_used_it_later(watched):
    text = ARGUMENTS + LOOP + "train(nn.Linear(6, 3), 0.5, 25)\nraise ValueError\nprint(0)\n"
    assert not found(watched, text)


def test_parsing_goes_on_as_it_did(watched):
    text = (
        ARGUMENTS + "import pickle\nprint(args, pickle.loads(pickle.dumps(args)) == args, 'lr' in args, type(args))\n"
    )
    trace = evidence_of(watched, text).trace
    assert trace.output.strip() == ("Namespace(lr=0.1, batch_size=20, note='') True True <class 'argparse.Namespace'>")
    assert not trace.notes


def test_a_rate_that_is_named_and_not_used(watched):
    text = "lr = 0.05\n" + LOOP + "train(nn.Linear(6, 3), 0.5, 25)\n"
    (finding,) = found(watched, text)
    assert finding.place.line == line(text, "train(nn.Linear")
    assert finding.saw.startswith("lr is 0.05 (line ")
    assert finding.instead == "train(nn.Linear(6, 3), lr, 25)"


@pytest.mark.parametrize(
    "text",
    [
        "lr = 0.5\n" + LOOP + "train(nn.Linear(6, 3), 0.5, 25)\n",  # the same number twice
        "lr = 0.05\n" + LOOP + "train(nn.Linear(6, 3), 10 * lr, 25)\n",
        "lr = 0.05\n" + LOOP + "train(nn.Linear(6, 3), globals()['lr'], 25)\n",
        "class Config:\n    lr = 0.05\n" + LOOP + "train(nn.Linear(6, 3), Config().lr * 2, 25)\n",
        "batch_size = 40\n" + LOOP + "train(nn.Linear(6, 3), 0.5, 25)\ntrain(nn.Linear(6, 3), 0.5, 40)\n",
        "epoch = 0\nsteps = 7\nalpha = 0.9\n" + LOOP + "train(nn.Linear(6, 3), 0.5, 25)\n",  # no settings
        "lr = 0.1\nlr = 0.05\n" + LOOP + "train(nn.Linear(6, 3), 0.5, 25)\n",
        LOOP + "train(nn.Linear(6, 3), 0.5, 25)\nif len(x) < 5:\n    lr = 0.3\n",
    ],
)
def test_names_that_are_read_or_right(watched, text):
    assert not found(watched, text)
