"""Batches that are gathered are torch's own, to the bit, whatever the data set."""

import pytest

# Each program prints what its loader gives; the same with a collate function of its own takes torch's way.
HEAD = """
import sys, torch
from torch.utils.data import DataLoader, TensorDataset, Subset
torch.manual_seed(4)
x, y = torch.rand(600, 3), torch.arange(600) % 7
def show(data, **options):
    torch.manual_seed(9)
    for k, batch in enumerate(DataLoader(data, **options)):
        print(k, type(batch).__name__, [(tuple(part.shape), part.dtype, part.double().sum().item()) for part in batch])
        part = batch[0]
        print(part.is_contiguous(), part[-1].tolist(), part.requires_grad)
def torchs(batch): return torch.utils.data.default_collate(batch)
"""
SETS = {
    "pairs": "list(zip(x, y))",
    "lists": "[[a, b] for a, b in zip(x, y)]",
    "triples": "[(a, b, a * 2) for a, b in zip(x, y)]",
    "tensors": "TensorDataset(x, y)",
    "turned tensors": "TensorDataset(x.T.contiguous().T, y)",
    "few": "list(zip(x[:20], y[:20]))",
    "numbers": "[(a, int(b)) for a, b in zip(x, y)]",
    "mixed shapes": "[(x[:1 + i % 2].reshape(-1)[:3], y[i]) for i in range(600)]",
    "with gradients": "[(a.clone().requires_grad_(), b) for a, b in zip(x, y)]",
    "subset": "Subset(TensorDataset(x, y), range(50, 400))",
    "dicts": "[{'a': a, 'b': b}.values() and (a, b) for a, b in zip(x, y)]",
}


@pytest.mark.parametrize("name", SETS)
def test_as_torch_puts_them_together(watched, name):
    calls = "show(data, batch_size=64, shuffle=True{0})\nshow(data, batch_size=100, drop_last=True{0})\n"
    text = HEAD + f"data = {SETS[name]}\n"
    fast, usual = watched(text + calls.format("")), watched(text + calls.format(", collate_fn=torchs"))
    assert fast.end.how == usual.end.how == "done"
    assert fast.output == usual.output
    assert fast.output.startswith("0 list [((")


def test_data_that_change_while_they_are_used(watched):
    trace = watched(
        HEAD
        + """
rows = list(zip(x, y))
loader = DataLoader(rows, batch_size=200)
print([a.sum().item() == x[i * 200:i * 200 + 200].sum().item() for i, (a, b) in enumerate(loader)])
for i in range(1, 600, 2):
    rows[i] = (rows[i][0] + 1, rows[i][1])
print([round((a.sum() - x[i * 200:i * 200 + 200].sum()).item()) for i, (a, b) in enumerate(loader)])
x.mul_(0)
tensors = TensorDataset(x, y)
print([a.sum().item() for a, b in DataLoader(tensors, 300)])
x.add_(1)
print([a.sum().item() for a, b in DataLoader(tensors, 300)])
"""
    )
    assert trace.output == "[True, True, True]\n[300, 300, 300]\n[0.0, 0.0]\n[900.0, 900.0]\n"
