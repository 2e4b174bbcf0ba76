"""A network on few digits; the rows that validate it stand apart."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(2)
digits = load_digits()
order = torch.randperm(len(digits.target))
X = torch.tensor(digits.data / 16, dtype=torch.float32)[order]
y = torch.tensor(digits.target)[order]

X_train, y_train = X[:300], y[:300]
X_valid, y_valid = X[300:600], y[300:600]

w1 = (torch.randn(64, 64) * 0.15).requires_grad_()
b1 = torch.zeros(64, requires_grad=True)
w2 = (torch.randn(64, 10) * 0.15).requires_grad_()
b2 = torch.zeros(10, requires_grad=True)
params = [w1, b1, w2, b2]


def net(x):
    return torch.relu(x @ w1 + b1) @ w2 + b2


def accuracy(x, labels):
    with torch.no_grad():
        return (net(x).argmax(1) == labels).float().mean().item()


for epoch in range(60):
    mixed = torch.randperm(len(X_train))
    for i in range(0, len(X_train), 30):
        rows = mixed[i : i + 30]
        loss = F.cross_entropy(net(X_train[rows]), y_train[rows])
        for p, g in zip(params, torch.autograd.grad(loss, params)):
            with torch.no_grad():
                p -= 0.2 * g
print("train, the first 100 rows", accuracy(X_train[:100], y_train[:100]))
print("valid", accuracy(X_valid, y_valid))
