"""Layers over sequences that go along the rows of a batch, and those that go along the steps of each row."""

import pytest

from byhand.doctor.checks.modes import mixed
from tests.doctor.checks._real import DATA, line_of, seen
from tests.doctor.checks._traces import patched

NET = (
    DATA
    + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Linear(2, 4), nn.Linear({wide}, 3)
        self.rnn = {layer}
    def forward(self, x):
        x = x.view(-1, 3, 2)
        {forward}
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
def order():
    return {order}
for _ in range(2):
    for i in order().split(50):
        yb = train_y[i]
        optimizer.zero_grad()
        F.cross_entropy(model(train_x[i]), yb).backward()
        optimizer.step()
with torch.no_grad():
    model.eval()
    print("test accuracy", (model(test_x).argmax(1) == test_y).float().mean().item())
"""
)
SHUFFLED, FIXED = "torch.randperm(300)", "torch.arange(300)"


def found(watched, tmp_path, layer, forward, wide=4, order=SHUFFLED):
    text = NET.format(layer=layer, forward=forward.replace("\n", "\n        "), wide=wide, order=order)
    evidence = seen(watched, tmp_path, text)
    return text, evidence, list(mixed.rows_mixed_across_batch(evidence))


@pytest.mark.parametrize(
    ("layer", "forward", "wide", "fixed", "shape"),
    [
        ("nn.LSTM(2, 4)", "return self.out(self.rnn(x)[0][:, -1])", 4,
         "nn.LSTM(2, 4, batch_first=True)", "axis 0 of 100 × 3 × 2"),
        ("nn.LSTM(2, 4, bidirectional=True)", "h, _ = self.rnn(x)\nreturn self.out(h[:, -1, :])", 8,
         "nn.LSTM(2, 4, bidirectional=True, batch_first=True)", "axis 0 of 100 × 3 × 2"),
        ("nn.GRU(2, 4, num_layers=2, batch_first=False)", "return self.out(self.rnn(x)[0].mean(1))", 4,
         "batch_first=True)", "axis 0 of 100 × 3 × 2"),
        ("nn.RNN(2, 4)", "return self.out(self.rnn(x)[0].reshape(len(x), -1))", 12,
         "nn.RNN(2, 4, batch_first=True)", "axis 0 of 100 × 3 × 2"),
        ("nn.GRU(4, 4)", "return self.out(self.rnn(self.embed(x).relu())[0][:, -1])", 4,
         "nn.GRU(4, 4, batch_first=True)", "axis 0 of 100 × 3 × 4"),
        ("nn.LSTM(2, 4, batch_first=True)", "return self.out(self.rnn(x.transpose(0, 1))[0][-1])", 4,
         "nn.LSTM(2, 4, batch_first=False)", "axis 1 of 3 × 100 × 2"),
        ("nn.LSTM(6, 4)", "return self.out(self.rnn(x.reshape(-1, 1, 6))[0][:, -1])", 4,
         "nn.LSTM(6, 4, batch_first=True)", "axis 0 of 100 × 1 × 6"),
    ],
)  # fmt: skip
def test_a_recurrent_layer_along_the_rows(watched, tmp_path, layer, forward, wide, fixed, shape):
    text, evidence, (finding,) = found(watched, tmp_path, layer, forward, wide)
    assert (finding.level, finding.proof, finding.needs_proof) == ("error", "arithmetic", False)
    assert finding.place is not None
    assert finding.place.line == line_of(text, layer)
    assert f"takes {shape} for the steps of a sequence, and that axis is the 100 rows" in finding.saw
    assert ("steps follows another" in finding.so) == (" × 1 × " not in shape)
    again = patched(evidence, finding.edits[0])
    assert fixed in again
    (tmp_path / "again").mkdir()
    assert list(mixed.rows_mixed_across_batch(seen(watched, tmp_path / "again", again))) == []


@pytest.mark.parametrize(
    ("layer", "forward"),
    [
        ("nn.TransformerEncoderLayer(4, 2, 8)", "return self.out(self.rnn(self.embed(x)).mean(1))"),
        ("nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 2)",
         "return self.out(self.rnn(self.embed(x)).mean(1))"),
        ("nn.MultiheadAttention(4, 2)", "h = self.embed(x)\nreturn self.out(self.rnn(h, h, h)[0][:, 0])"),
    ],
)  # fmt: skip
def test_attention_among_the_rows(watched, tmp_path, layer, forward):
    _, evidence, (finding,) = found(watched, tmp_path, layer, forward)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert "takes axis 0 of 100 × 3 × 4 for the steps of a sequence" in finding.saw
    assert "none of its own 3 parts sees another" in finding.so
    again = patched(evidence, finding.edits[0])
    assert "batch_first=True)" in again
    (tmp_path / "again").mkdir()
    assert list(mixed.rows_mixed_across_batch(seen(watched, tmp_path / "again", again))) == []


def test_rows_that_always_come_together_are_a_suspicion(watched, tmp_path):
    _, _, (finding,) = found(watched, tmp_path, "nn.LSTM(2, 4)", "return self.out(self.rnn(x)[0][:, -1])", order=FIXED)
    assert (finding.level, finding.proof, finding.needs_proof) == ("error", None, True)


@pytest.mark.parametrize(
    ("layer", "forward", "wide"),
    [
        ("nn.LSTM(2, 4, batch_first=True)", "return self.out(self.rnn(x)[0][:, -1])", 4),
        ("nn.LSTM(2, 4)", "_, (h, _) = self.rnn(x.permute(1, 0, 2))\nreturn self.out(h[-1])", 4),
        ("nn.GRU(2, 4)", "return self.out(self.rnn(x.transpose(0, 1).contiguous())[0][-1])", 4),
        ("nn.GRU(2, 4, 2, True, True, 0.0, True)",
         "h = self.rnn(x)[1]\nreturn self.out(torch.cat([h[-2], h[-1]], 1))", 8),
        ("nn.LSTM(4, 4)", "return self.out(self.rnn(self.embed(x).transpose(0, 1))[0].mean(0))", 4),
        ("nn.LSTM(2, 4, batch_first=True)",
         "s = torch.zeros(1, len(x), 4)\nreturn self.out(self.rnn(x, (s, s))[0][:, -1])", 4),
        ("nn.LSTM(2, 4, batch_first=True)",
         "p = nn.utils.rnn.pack_padded_sequence(x, [3] * len(x), True)\nreturn self.out(self.rnn(p)[1][0][-1])",
         4),
        ("nn.LSTM(2, 4)", "self.rnn(x)\nreturn self.out(self.embed(x).mean(1))", 4),
        ("nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)",
         "return self.out(self.rnn(self.embed(x)).mean(1))", 4),
        ("nn.TransformerEncoderLayer(4, 2, 8)", "return self.out(self.rnn(self.embed(x).transpose(0, 1)).mean(0))", 4),
        ("nn.MultiheadAttention(4, 2, batch_first=True)",
         "h = self.embed(x)\nreturn self.out(self.rnn(h, h, h)[0][:, 0])", 4),
        # As many steps as rows in training, by chance: not so in the evaluation.
        ("nn.LSTM(4, 4)",
         "h = self.rnn(F.pad(self.embed(x), (0, 0, 0, 47))[:, :50].transpose(0, 1))[0]\nreturn self.out(h.mean(0))", 4),
    ],
)  # fmt: skip
def test_steps_of_each_row(watched, tmp_path, layer, forward, wide):
    assert found(watched, tmp_path, layer, forward, wide)[2] == []


def test_words_of_a_sentence_follow_each_other(watched, tmp_path):
    text = (
        DATA
        + """
class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.tag = nn.LSTM(6, 8), nn.Linear(8, 3)
    def forward(self, words):
        h, _ = self.lstm(words.view(len(words), 1, -1))
        return self.tag(h.view(len(words), -1))
model = Tagger()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
sentences = list(zip(x.split(20), y.split(20)))
for epoch in range(3):
    for k in rng.permutation(15):
        words, tags = sentences[k]
        optimizer.zero_grad()
        F.cross_entropy(model(words), tags).backward()
        optimizer.step()
with torch.no_grad():
    print(sum((model(words).argmax(1) == tags).sum().item() for words, tags in sentences[15:]) / 100)
"""
    )
    assert list(mixed.rows_mixed_across_batch(seen(watched, tmp_path, text))) == []
