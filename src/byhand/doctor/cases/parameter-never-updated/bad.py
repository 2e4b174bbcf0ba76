"""A network by hand whose update forgets one of its four arrays."""

import torch
from sklearn.datasets import load_digits

g = torch.Generator().manual_seed(7)
digits = load_digits()
x = torch.from_numpy(digits.data).float() / 16
y = torch.from_numpy(digits.target)
order = torch.randperm(len(y), generator=g)
x, y = x[order], y[order]
n = 1400

w1 = (torch.randn(64, 12, generator=g) * 0.3).requires_grad_()
b1 = torch.zeros(12).requires_grad_()
w2 = (torch.randn(12, 10, generator=g) * 0.3).requires_grad_()
b2 = torch.zeros(10).requires_grad_()
lr = 1.0


def forward(xb):
    return torch.tanh(xb @ w1 + b1) @ w2 + b2


def loss_of(scores, labels):
    return -scores.log_softmax(dim=1)[range(len(labels)), labels].mean()


for epoch in range(60):
    for i in range(0, n, 70):
        loss = loss_of(forward(x[i : i + 70]), y[i : i + 70])
        loss.backward()
        with torch.no_grad():
            b1 -= lr * b1.grad
            w2 -= lr * w2.grad
            b2 -= lr * b2.grad
        for p in (w1, b1, w2, b2):
            p.grad = None

with torch.no_grad():
    predictions = forward(x[n:]).argmax(dim=1)
print("validation accuracy", (predictions == y[n:]).float().mean().item())
