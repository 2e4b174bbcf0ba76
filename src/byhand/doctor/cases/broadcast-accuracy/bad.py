"""Softmax regression on the 8×8 digits, with weights held by hand; the accuracy compares (B,) with (B, 1)."""

import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target).unsqueeze(1)
order = torch.randperm(len(x))
train, valid = order[:1497], order[1497:]

train_dl = DataLoader(TensorDataset(x[train], y[train]), batch_size=64, shuffle=True)
valid_dl = DataLoader(TensorDataset(x[valid], y[valid]), batch_size=100)

weights = torch.zeros(64, 10, requires_grad=True)
bias = torch.zeros(10, requires_grad=True)


def linear(xb):
    return xb @ weights + bias


def batch_accuracy(scores, yb):
    preds = scores.argmax(dim=1)
    return (preds == yb).float().mean()


for epoch in range(40):
    for xb, yb in train_dl:
        loss = torch.nn.functional.cross_entropy(linear(xb), yb.squeeze(1))
        loss.backward()
        with torch.no_grad():
            for p in (weights, bias):
                p -= 0.5 * p.grad
                p.grad.zero_()
    with torch.no_grad():
        accs = [batch_accuracy(linear(xb), yb) for xb, yb in valid_dl]
    print(f"epoch {epoch}: validation accuracy {sum(accs) / len(accs):.4f}")
