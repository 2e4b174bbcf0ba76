"""Two layers by hand, in plain tensors."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(21)
digits = load_digits()
order = torch.randperm(len(digits.target))
x = torch.tensor(digits.data, dtype=torch.float32)[order] / 16
y = torch.tensor(digits.target)[order]
x_train, y_train, x_test, y_test = x[:1300], y[:1300], x[1300:], y[1300:]

n_hidden = 60
w1 = (torch.rand(64, n_hidden) - 0.65).requires_grad_()
b1 = torch.zeros(n_hidden, requires_grad=True)
w2 = (torch.randn(n_hidden, 10) * 0.1).requires_grad_()
b2 = torch.zeros(10, requires_grad=True)
parameters = [w1, b1, w2, b2]


def forward(batch):
    hidden = F.relu(batch @ w1 + b1)
    return hidden @ w2 + b2


for epoch in range(25):
    shuffled = torch.randperm(len(x_train))
    for rows in shuffled.split(50):
        loss = F.cross_entropy(forward(x_train[rows]), y_train[rows])
        for p in parameters:
            p.grad = None
        loss.backward()
        with torch.no_grad():
            for p in parameters:
                p -= 0.2 * p.grad

with torch.no_grad():
    answers = forward(x_test).argmax(dim=1)
print("right:", round((answers == y_test).float().mean().item(), 4))
