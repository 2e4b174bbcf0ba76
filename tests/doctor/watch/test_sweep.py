"""Programs without autograd that train several models, one after another."""

import numpy as np
import pytest

from byhand.doctor.watch.row_costs import cost_of_rows

SWEEP = """\
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 200)
x = rng.normal(size=(3, 6))[y] * 2 + rng.normal(size=(200, 6))
hot = np.eye(3)[y]


class Net:
    def __init__(self):
        self.params = {}
        for k, (a, b) in enumerate(((6, 5), (5, 3))):
            self.params["W" + str(k)] = rng.normal(size=(a, b))
            self.params["b" + str(k)] = np.zeros(b)

    def forward(self, x):
        q = self.params
        h = np.maximum(x @ q["W0"] + q["b0"], 0)
        e = np.exp(h @ q["W1"] + q["b1"])
        return h, e / e.sum(1, keepdims=True)

    def train(self, x, y, hot, rate):
        for i in range(20):
            h, p = self.forward(x)
            if i % 5 == 0:
                print((p.argmax(1) == y).mean())
            d = (p - hot) / len(x)
            dh = d @ self.params["W1"].T * (h > 0)
            grads = {"W1": h.T @ d, "b1": d.sum(0), "W0": x.T @ dh, "b0": dh.sum(0)}
            for k in range(2):
                self.params["W" + str(k)] -= rate * grads["W" + str(k)]
                self.params["b" + str(k)] -= rate * grads["b" + str(k)]


for rate in (0.01, 0.1, 0.3):
    net = Net()
    net.train(x[:150], y[:150], hot[:150], rate)
    print((net.forward(x[150:])[1].argmax(1) == y[150:]).mean())
"""


def test_each_model_is_a_training_of_its_own_and_its_loop_is_that_of_its_epochs(watched):
    trace = watched(SWEEP)
    assert [(one.first, one.last, one.epochs) for one in trace.trainings] == [(0, 20, 20), (20, 40, 20), (40, 60, 20)]
    line = SWEEP[: SWEEP.index("for i in range(20)")].count("\n") + 1
    assert {one.loop.line for one in trace.trainings} == {line}
    judged = [forward for forward in trace.forwards if forward.n == 50]
    assert [(forward.kind, forward.training) for forward in judged] == [("eval", 0), ("eval", 1), ("eval", 2)]


def test_what_a_new_model_chose_before_it_was_known_is_not_the_last_ones(watched):
    trace = watched(SWEEP)
    of = [None if one.forward is None else trace.forwards[one.forward] for one in trace.predictions]
    assert of.count(None) == 2  # the first batch of the second and of the third model
    assert all(one.n == len(p.chosen) for one, p in zip(of, trace.predictions, strict=True) if one is not None)


def probabilities(n, classes=10):
    p = np.random.default_rng(0).random((n, classes))
    return p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("columns", [False, True])
def test_a_large_batch_tells_its_cost_whichever_way_it_lies(columns):
    p, labels = probabilities(3_000), np.arange(3_000) % 10
    expected = -np.log(p[np.arange(3_000), labels]).mean()
    array = p.T if columns else p
    scores = np.log(array)
    assert cost_of_rows([scores, array, scores], labels, kept=16_384) == pytest.approx(expected)


def test_labels_scores_and_small_batches_have_none():
    labels = np.arange(3_000) % 10
    assert cost_of_rows([np.eye(10)[labels]], labels, kept=16_384) is None
    assert cost_of_rows([np.log(probabilities(3_000))], labels, kept=16_384) is None
    assert cost_of_rows([probabilities(100)], labels[:100], kept=16_384) is None
