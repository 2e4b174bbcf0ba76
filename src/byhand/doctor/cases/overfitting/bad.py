"""Digits with some careless labels, and a wide network that is trained until it knows even those by heart."""

import torch
from sklearn.datasets import load_digits

torch.manual_seed(1)
digits = load_digits()
order = torch.randperm(1797)
x = torch.tensor(digits.data, dtype=torch.float32)[order] / 16  # (N, 64)
y = torch.tensor(digits.target)[order]  # (N,)
train_x, train_y = x[:600], y[:600].clone()
test_x, test_y = x[600:], y[600:]
careless = torch.rand(600) < 0.2
train_y[careless] = torch.randint(10, (int(careless.sum()),))


def linear(inputs, outputs):
    weights = torch.randn(inputs, outputs) * (2 / inputs) ** 0.5
    return weights.requires_grad_(), torch.zeros(outputs, requires_grad=True)


w1, b1 = linear(64, 300)
w2, b2 = linear(300, 300)
w3, b3 = linear(300, 10)
params = [w1, b1, w2, b2, w3, b3]


def model(x):
    h = torch.relu(x @ w1 + b1)
    h = torch.relu(h @ w2 + b2)
    return h @ w3 + b3


def evaluate(x, y):
    with torch.no_grad():
        scores = model(x)
        loss = torch.nn.functional.cross_entropy(scores, y).item()
        return loss, (scores.argmax(dim=1) == y).float().mean().item()


optimizer = torch.optim.Adam(params, lr=0.002)
for epoch in range(100):
    for rows in torch.randperm(len(train_x)).split(50):
        loss = torch.nn.functional.cross_entropy(model(train_x[rows]), train_y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    train_loss, train_acc = evaluate(train_x, train_y)
    test_loss, test_acc = evaluate(test_x, test_y)
    if epoch % 10 == 9:
        print(f"{epoch + 1}: training {train_loss:.3f} {train_acc:.3f}, test {test_loss:.3f} {test_acc:.3f}")
