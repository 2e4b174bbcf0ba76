"""A trace is read as it was written; a file that is none is said in one line."""

import dataclasses
import json

import numpy as np
import pytest

from byhand.doctor import trace_file
from byhand.doctor.run import mailbox
from byhand.doctor.trace import End, Trace
from byhand.errors import DataError

PROGRAM = """
import torch
from torch import nn
torch.manual_seed(0)
x, y = torch.rand(40, 5), torch.arange(40) % 3
net = nn.Sequential(nn.Linear(5, 4), nn.Dropout(0.5), nn.Linear(4, 3))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 10, shuffle=True)
for epoch in range(2):
    for xb, yb in loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
    print(epoch, loss.item(), float("nan"), float("inf"))
print((net(x).argmax(1) == y).sum() / 0)
"""


def same(one, other):
    if dataclasses.is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one)
        )
    if isinstance(one, np.ndarray):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        )
    if isinstance(one, tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and (one == other or one != one)


def test_a_real_trace_comes_back_as_it_was(watched, tmp_path):
    trace = watched(PROGRAM)
    assert len(trace.forwards) == 9
    assert trace.tapes
    assert trace.parameters
    trace_file.write(tmp_path, trace)
    assert same(trace_file.read(tmp_path), trace)


def test_an_empty_trace(tmp_path):
    trace = Trace(End("done", 0.5), "é\n", seeded=False, notes=("a",), files=())
    trace_file.write(tmp_path, trace)
    assert same(trace_file.read(tmp_path), trace)


def test_what_is_no_trace(tmp_path):
    with pytest.raises(DataError):
        trace_file.read(tmp_path)
    (tmp_path / "trace.json").write_text("[1")
    with pytest.raises(DataError):
        trace_file.read(tmp_path)


def test_every_damaged_byte_of_a_trace_is_seen(tmp_path):
    trace = Trace(End("done", 0.5), "é\n", seeded=False, notes=("a",), files=(), settings=())
    trace_file.write(tmp_path, trace)
    for name in ("trace.json", "arrays.npz"):
        sound = (tmp_path / name).read_bytes()
        for at in range(len(sound) - 1):  # the last line's end says nothing
            for content in (sound[:at], sound[:at] + bytes([sound[at] ^ 4]) + sound[at + 1 :]):
                (tmp_path / name).write_bytes(content)
                with pytest.raises(DataError) as caught:
                    trace_file.read(tmp_path)
                assert str(caught.value).isprintable()
        (tmp_path / name).write_bytes(sound)
    assert same(trace_file.read(tmp_path), trace)


def test_a_mailbox_with_something_else_in_it_is_empty(tmp_path):
    for content in (b"", b"{", b"[1]", b"\xff", b"[" * 100_000, b'{"a": NaN}'):
        (tmp_path / mailbox.LINE).write_bytes(content)
        assert mailbox.take(tmp_path) is None
        assert list(tmp_path.iterdir()) == []


SAID = {"file": "a.py", "cell": None, "line": 3, "clock": 2}
LINE = {
    "clock": 3,
    "losses": [[0, 0.5], [2, None]],
    "shown": [{**SAID, "numbers": [[0.5, "loss"], [None, ""]]}],
    "judged": [{**SAID, "right": 3, "rows": 4}],
    "parameters": [{"name": "w", "shape": [4, 3], "norm": 0.5, "gradient": None, "step": 1, "picture": None}],
}


def test_a_line_of_a_mailbox_is_taken_once(tmp_path):
    (tmp_path / mailbox.LINE).write_text(json.dumps(LINE))
    assert mailbox.take(tmp_path, mailbox.LAST) is None
    assert mailbox.take(tmp_path) == LINE
    assert mailbox.take(tmp_path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"clock": -1},
        {"clock": 2.5},
        {"clock": True},
        {"clock": 10**400},
        {"losses": None},
        {"losses": [[-1, 0.5]]},
        {"losses": [[1, 0.5, 2]]},
        {"losses": [[1, "0.5"]]},
        {"losses": [[1, 0.5]] * 60_000},
        {"shown": [{**SAID, "numbers": [0.5]}]},
        {"shown": [{**SAID, "clock": -1, "numbers": []}]},
        {"judged": [{**SAID, "right": 3}]},
        {"judged": [SAID]},
        {"parameters": [{}]},
        {"parameters": [{**LINE["parameters"][0], "name": None}]},
        {"parameters": [{**LINE["parameters"][0], "picture": {}}]},
        {"more": []},
    ],
)
def test_a_line_of_another_form_is_no_line(change, tmp_path):
    (tmp_path / mailbox.LINE).write_text(json.dumps({**LINE, **change}))
    assert mailbox.take(tmp_path) is None
    for name in LINE:
        (tmp_path / mailbox.LINE).write_text(json.dumps({key: value for key, value in LINE.items() if key != name}))
        assert mailbox.take(tmp_path) is None
