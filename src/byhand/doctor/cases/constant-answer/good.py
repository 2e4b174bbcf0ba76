"""A network of plain tensors and a class, with dropout by hand; to judge it, all units are kept.

A constant answer is right once here: on test images of one class, and before the training nobody expects another.
"""

import torch
from sklearn.datasets import load_digits

torch.manual_seed(6)
digits = load_digits()
order = torch.randperm(1797)
x = torch.tensor(digits.data[order], dtype=torch.float32) / 16
y = torch.tensor(digits.target[order])


class MLP:
    def __init__(self, n_in, n_hidden, n_out):
        self.w1 = (torch.randn(n_in, n_hidden) * (2 / n_in) ** 0.5).requires_grad_()
        self.b1 = torch.zeros(n_hidden, requires_grad=True)
        self.w2 = (torch.randn(n_hidden, n_out) * (1 / n_hidden) ** 0.5).requires_grad_()
        self.b2 = torch.zeros(n_out, requires_grad=True)
        self.parameters = [self.w1, self.b1, self.w2, self.b2]

    def __call__(self, rows, keep):
        hidden = (rows @ self.w1 + self.b1).relu()
        hidden = hidden * (torch.rand_like(hidden) < keep) / max(keep, 0.01)  # a share of the units, as large in all
        return hidden @ self.w2 + self.b2


net = MLP(64, 50, 10)
with torch.no_grad():
    first = net(x[1497:], keep=1.0).max(dim=1).indices
print("classes in the answers before the training:", first.unique().tolist())

for _ in range(1500):
    batch = torch.randint(0, 1497, (64,))
    loss = torch.nn.functional.cross_entropy(net(x[batch], keep=0.8), y[batch])
    for p in net.parameters:
        p.grad = None
    loss.backward()
    for p in net.parameters:
        with torch.no_grad():
            p.add_(p.grad, alpha=-0.2)

with torch.no_grad():
    zeros = x[1497:][y[1497:] == 0]
    print("images of zeros called zero:", (net(zeros, keep=1.0).max(dim=1).indices == 0).float().mean().item())
    guess = net(x[1497:], keep=1.0).max(dim=1).indices
print("test accuracy", (guess == y[1497:]).float().mean().item())
