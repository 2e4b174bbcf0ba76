"""Recurrent layers and attention as the observer sees them: forwards, rows, labels and tapes."""

import numpy as np
import pytest

TORCH = """
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
x, y = torch.rand(120, 5, 4), torch.arange(120) % 3
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.fc = {layer}, nn.Linear(4, 3)
    def forward(self, x):
        {forward}
model = Net()
opt = torch.optim.SGD(model.parameters(), lr=0.1)
{loop}
    F.cross_entropy(model(xb), yb).backward()
    opt.step()
    opt.zero_grad()
with torch.no_grad():
    (model(x[:30]).argmax(1) == y[:30]).sum()
"""
LOADER = "for xb, yb in DataLoader(TensorDataset(x, y), batch_size=40):"
SLICES = "for i in range(0, 120, 40):\n    xb, yb = x[i:i + 40], y[i:i + 40]"
LAYERS = {
    "lstm": ("nn.LSTM(4, 4)", "return self.fc(self.rnn(x.transpose(0, 1))[1][0][-1])"),
    "lstm, contiguous": ("nn.LSTM(4, 4)", "return self.fc(self.rnn(x.transpose(0, 1).contiguous())[0][-1])"),
    "gru": ("nn.GRU(4, 4, batch_first=True)", "return self.fc(self.rnn(x)[0][:, -1])"),
    "rnn": ("nn.RNN(4, 4, nonlinearity='relu', batch_first=True)", "return self.fc(self.rnn(x)[1][-1])"),
    "rows taken for steps": ("nn.RNN(4, 4)", "return self.fc(self.rnn(x)[0][:, -1])"),
    "attention": ("nn.MultiheadAttention(4, 2, batch_first=True)", "return self.fc(self.rnn(x, x, x)[0].mean(1))"),
}


@pytest.mark.parametrize(
    ("layer", "loop"),
    [*((layer, LOADER) for layer in LAYERS), ("lstm", SLICES), ("gru", SLICES), ("rows taken for steps", SLICES)],
)
def test_forwards_of_layers_over_sequences(watched, layer, loop):
    made, forward = LAYERS[layer]
    trace = watched(TORCH.format(layer=made, forward=forward, loop=loop))
    assert (trace.end.error, trace.notes) == (None, ())
    assert [(one.kind, one.n, one.clock) for one in trace.forwards] == [
        ("train", 40, 0), ("train", 40, 1), ("train", 40, 2), ("eval", 30, 3)
    ]  # fmt: skip
    for k, one in enumerate(trace.forwards[:3]):
        np.testing.assert_array_equal(one.labels, np.arange(40 * k, 40 * k + 40) % 3)
    np.testing.assert_array_equal(trace.forwards[3].rows, trace.forwards[0].rows[:30])  # whichever axis they stand on
    kept = trace.trained_on
    assert kept is not None
    assert (kept.rows.shape, kept.shape) == ((120, 20), (5, 4))
    assert [one.forward for one in trace.backwards] == [0, 1, 2]
    assert all(one.used and one.reached for one in trace.parameters)


def test_a_tape_of_a_recurrent_layer(watched):
    made, forward = LAYERS["lstm"]
    tape = watched(TORCH.format(layer=made, forward=forward, loop=SLICES)).tapes[0]
    ops = [op for op in tape.ops if op.name == "lstm"]
    assert [tape.values[op.output].summary.shape for op in ops] == [(5, 40, 4), (1, 40, 4), (1, 40, 4)]
    assert all((op.module, op.options) == ("LSTM", {"batch_first": False}) for op in ops)
    assert tape.values[ops[0].inputs[0]].rows
    assert [tape.values[i].parameter is not None for i in ops[0].inputs] == [False, True, True, True, True]


def test_one_row_alone_and_rows_that_are_packed(watched):
    text = TORCH.format(
        layer="nn.GRU(4, 4)",
        forward="return self.fc(self.rnn(x)[1])",
        loop="for k in range(3):\n    xb, yb = x[k], y[k:k + 1]",
    ).replace("(model(x[:30]).argmax(1) == y[:30]).sum()", """
    packed = nn.utils.rnn.pack_padded_sequence(x, [5] * 120, batch_first=True)
    model.fc(model.rnn(packed)[1][-1]).argmax(1)""")  # fmt: skip
    trace = watched(text)
    assert (trace.end.error, trace.notes) == (None, ())
    assert [(one.kind, one.n) for one in trace.forwards][:3] == [("train", 1)] * 3
