"""Two layers by hand, with the mean loss of each epoch."""

import torch
from sklearn.datasets import load_digits

torch.manual_seed(21)
digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16
y = torch.tensor(digits.target)
mixed = torch.randperm(len(y))
x, y = x[mixed], y[mixed]
train_x, train_y, valid_x, valid_y = x[:1400], y[:1400], x[1400:], y[1400:]

w1 = (torch.randn(64, 40) / 8).requires_grad_()
b1 = torch.zeros(40, requires_grad=True)
w2 = (torch.randn(40, 10) / 6).requires_grad_()
b2 = torch.zeros(10, requires_grad=True)
params = [w1, b1, w2, b2]


def net(xb):
    return torch.relu(xb @ w1 + b1) @ w2 + b2


for epoch in range(20):
    total = 0
    for start in range(0, len(train_y), 50):
        rows = slice(start, start + 50)
        loss = torch.nn.functional.cross_entropy(net(train_x[rows]), train_y[rows])
        loss.backward()
        with torch.no_grad():
            for p in params:
                p -= 0.3 * p.grad
                p.grad = None
        total += loss
    print(f"epoch {epoch}: mean loss {float(total) / (start // 50 + 1):.4f}")

with torch.no_grad():
    accuracy = (net(valid_x).argmax(dim=1) == valid_y).float().mean().item()
print(f"valid accuracy {accuracy:.4f}")
