"""A run that is told while it goes on: what the lines say is so, and the program is left alone."""

import base64
import json

import numpy as np
import pytest

from byhand.doctor.watch.pictured import Input, picture

ROWS = """
import time
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 150)
x = (rng.normal(size=(3, 9))[y] * 2 + rng.normal(size=(150, 9))).astype(np.float32)
norm = lambda a: float(np.sqrt((np.asarray(a, np.float64) ** 2).sum()))
"""
TORCH = (
    ROWS
    + """
import json
import torch
import torch.nn.functional as F
torch.manual_seed(0)
xt, yt = torch.from_numpy(x), torch.from_numpy(y)
model = torch.nn.Linear(9, 3)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
known = []
for i in range(60):
    loss = F.cross_entropy(model(xt[:100]), yt[:100])
    opt.zero_grad()
    loss.backward()
    before = model.weight.detach().numpy().copy()
    opt.step()
    after = model.weight.detach().numpy()
    known.append([loss.item(), norm(model.weight.grad), norm(after - before), norm(after)])
    time.sleep(0.01)
with torch.no_grad():
    right = (model(xt[100:]).argmax(1)[:, None] == yt[100:, None]).float().mean().item()
print(json.dumps([known, right, model.weight.tolist()]))
"""
)


def decoded(told):
    """The numbers of pictures, (units, P)."""
    levels = np.frombuffer(base64.b64decode(told["data"]), np.int8).astype(float)
    return levels.reshape(told["shown"], -1) * told["scale"] / 127


def test_the_lines_say_what_the_program_computes(told):
    trace, lines, _ = told(TORCH, looks=False)
    known, right, weights = json.loads(trace.output)
    losses = [tuple(one) for line in lines for one in line["losses"]]
    assert losses == [(i, pytest.approx(one[0])) for i, one in enumerate(known)]
    seen = 0
    for line in lines[:-1]:
        weight, bias = line["parameters"]
        assert (weight["name"], weight["shape"], bias["shape"]) == ("model.weight", [3, 9], [3])
        _, gradient, step, size = known[line["clock"] - 1]
        assert weight["norm"] == pytest.approx(size, rel=1e-5)
        if weight["step"] is not None:
            assert (weight["gradient"], weight["step"]) == pytest.approx((gradient, step), rel=1e-4)
            seen += 1
    assert seen > 3
    clocks = [one["clock"] for one in lines]
    assert (clocks, clocks[-1]) == (sorted(clocks), 60)
    last = lines[-1]
    assert last["parameters"][0]["picture"]["shape"] == [3, 3]
    assert decoded(last["parameters"][0]["picture"]) == pytest.approx(np.array(weights), abs=0.005)
    judged = [one for line in lines for one in line["judged"]]
    assert [(one["right"] / one["rows"], one["rows"], one["clock"]) for one in judged] == [
        (pytest.approx(right), 50, 60)
    ]


def test_numpy_by_hand_and_what_it_prints(told):
    program = (
        ROWS
        + """
W, b = np.zeros((9, 3)), np.zeros(3)
for epoch in range(1, 41):
    z = x @ W + b
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    d = (p - np.eye(3)[y]) / len(x)
    W -= 0.5 * x.T @ d
    b -= 0.5 * d.sum(0)
    print(f"epoch {epoch}/40: loss {-np.log(p[range(150), y]).mean():.4f}, right {(p.argmax(1) == y).mean():.2%}")
    time.sleep(0.01)
np.save("W.npy", W)
"""
    )
    trace, lines, _ = told(program, looks=False)
    shown = [one for line in lines for one in line["shown"]]
    assert len(shown) == 40
    numbers = [one["numbers"] for one in shown]
    assert [[words for _, words in one] for one in numbers] == [["epoch", ": loss", ", right"]] * 40
    assert [one[0][0] for one in numbers] == pytest.approx([epoch / 40 for epoch in range(1, 41)])
    assert numbers[0][1][0] == 1.0986
    assert f"right {numbers[-1][2][0]:.2%}" in trace.output
    W = next(one for one in lines[-1]["parameters"] if one["name"] == "W")
    assert W["picture"]["count"] == 3
    assert any(one["step"] for line in lines for one in line["parameters"])


def test_a_run_that_nobody_watches_keeps_a_bounded_line(told):
    program = TORCH.replace("range(60)", "range(900)").replace("time.sleep(0.01)", "print(i)")
    _, lines, traces = told(program, looks=False, empty=False)
    assert len(lines) == 2  # the first, which nobody took, and the last
    assert lines[-1]["clock"] == 900
    assert 100 <= len(lines[-1]["losses"]) <= 200
    assert len(lines[-1]["shown"]) <= 100
    assert traces == []


def test_the_run_so_far_is_a_part_of_the_whole(told):
    whole, _, traces = told(TORCH)
    assert len(traces) > 2
    for part in traces:
        assert part.end.how == "running"
        n = len(part.backwards)
        assert [b.loss for b in part.backwards] == [b.loss for b in whole.backwards[:n]]
        assert [f.rows.tolist() for f in part.forwards] == [
            f.rows.tolist() for f in whole.forwards[: len(part.forwards)]
        ]
    assert len({len(part.backwards) for part in traces}) > 2
    assert len(whole.parameters[0].samples) == len([n for n in range(60) if n < 4 or n & (n - 1) == 0])


def test_the_program_meets_no_process_and_no_warning_of_ours(told):
    program = TORCH.replace(
        "    time.sleep(0.01)",
        """
    warnings.warn("said once")
    time.sleep(0.02)
    if i % 10 == 0:
        child = subprocess.Popen([sys.executable, "-c", ""])
        assert os.wait() == (child.pid, 0)
        try:
            os.wait()
        except ChildProcessError:
            print("no other")
""",
    )
    trace, _, traces = told("import os, subprocess, sys, warnings\n" + program)
    assert (trace.end.how, trace.notes) == ("done", ())
    assert len(traces) > 2
    assert trace.output.count("said once") == 2  # the message, and the line that is shown with it
    assert trace.output.count("no other") == 6


@pytest.mark.parametrize(
    ("weights", "given", "known", "shape", "first"),
    [
        (np.arange(40.0).reshape(4, 10), Input((4,), False, None), [], [2, 2], [0, 10, 20, 30]),  # (P, C)
        (np.arange(40.0).reshape(10, 4), Input((4,), False, None), [], [2, 2], [0, 1, 2, 3]),  # (C, P)
        (np.arange(16.0).reshape(4, 4), Input((4,), False, None), [], [2, 2], [0, 4, 8, 12]),
        (np.arange(16.0).reshape(4, 4), Input((4,), True, None), [], [2, 2], [0, 1, 2, 3]),
        (np.arange(15.0).reshape(5, 3), Input((5,), False, 0), [], [2, 2], [3, 6, 9, 12]),  # a bias in the first row
        (np.arange(15.0).reshape(5, 3), Input((5,), False, -1), [], [2, 2], [0, 3, 6, 9]),
        (np.arange(12.0).reshape(6, 2), Input((6,), False, None), [], [1, 6], [0, 2, 4, 6, 8, 10]),
        (np.arange(12.0).reshape(6, 2), Input((6,), False, None), [(9, 2, 3)], [2, 3], [0, 2, 4, 6, 8, 10]),
        (np.arange(12.0).reshape(6, 2), Input((3, 2), False, None), [(9, 2, 3)], [3, 2], [0, 2, 4, 6, 8, 10]),
        (np.arange(24.0).reshape(12, 2), Input((3, 2, 2), False, None), [], [6, 2], list(range(0, 24, 2))),
    ],
)
def test_pictures_have_the_numbers_of_a_unit_in_rows(weights, given, known, shape, first):
    told = picture(weights, given, known)
    assert told["shape"] == shape
    assert told["count"] == told["shown"] == weights.size // np.prod(given.shape)
    assert decoded(told)[0] == pytest.approx(first, abs=told["scale"] / 250)


def test_pictures_are_bounded_and_bear_what_is_no_number():
    many = picture(np.ones((784, 500)), Input((784,), False, None), [])
    assert (many["count"], many["shown"]) == (500, 36)
    large = picture(np.ones((30_000, 10)), Input((3, 100, 100), False, None), [])
    assert (large["count"], large["shown"], large["shape"]) == (10, 2, [300, 100])
    broken = picture(np.array([[np.nan, 1], [np.inf, -2], [0, 0], [0, 0]]), Input((4,), False, None), [])
    assert decoded(broken)[0].tolist() == [0, 0, 0, 0]
    assert broken["scale"] == 2
    assert picture(np.zeros((4, 2)), Input((4,), False, None), [])["scale"] == 0
    assert picture(np.zeros(4), Input((4,), False, None), []) is None
    assert picture(np.zeros((5, 2)), Input((4,), False, None), []) is None


def test_losses_are_told_where_no_update_comes(told):
    program = TORCH.replace("    opt.step()\n", "").replace("time.sleep(0.01)", "time.sleep(0.04)")
    _, lines, traces = told(program)
    assert [one for line in lines[:-1] for one in line["losses"]]
    assert traces
    assert lines[-1]["clock"] == 0


def test_parameters_of_one_name_are_told_apart(told):
    program = (
        ROWS
        + """
layers = [np.full((9, 3), 0.1), np.zeros((1, 3))]
for i in range(20):
    p = np.exp(x @ layers[0] + layers[1])
    d = (p / p.sum(1, keepdims=True) - np.eye(3)[y]) / 150
    for W, grad in zip(layers, [x.T @ d, d.sum(0, keepdims=True)]):
        W -= 0.1 * grad
"""
    )
    _, lines, _ = told(program, looks=False)
    names = [one["name"] for one in lines[-1]["parameters"]]
    assert names == ["W", "W (2)"]
    assert [one["shape"] for one in lines[-1]["parameters"]] == [[9, 3], [1, 3]]
