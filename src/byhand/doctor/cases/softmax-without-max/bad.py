# Two digits first, then all ten.
import torch
from sklearn.datasets import load_digits

torch.manual_seed(4)
data, target = load_digits(return_X_y=True)
order = torch.randperm(len(target))
data = torch.tensor(data, dtype=torch.float32)[order] / 16
target = torch.tensor(target)[order]
x, y, test_x, test_y = data[:1400], target[:1400], data[1400:], target[1400:]

w1 = (torch.randn(64, 200) / 8).requires_grad_()
b1 = torch.zeros(200, requires_grad=True)
w2 = (torch.randn(200, 200) / 14).requires_grad_()
b2 = torch.zeros(200, requires_grad=True)
w3 = (torch.randn(200, 10) / 14).requires_grad_()
b3 = torch.zeros(10, requires_grad=True)
optimizer = torch.optim.Adam([w1, b1, w2, b2, w3, b3], lr=0.01)


def model(x):
    h = (x @ w1 + b1).relu()
    h = (h @ w2 + b2).relu()
    return h @ w3 + b3


def cross_entropy(z, y):
    total = torch.exp(z).sum(dim=1, keepdim=True)
    log_p = z - torch.log(total)
    return -log_p[torch.arange(len(y)), y].mean()


def train(x, y, epochs):
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(32):
            loss = cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


train(x[y < 2], y[y < 2], 30)
train(x, y, 20)
with torch.no_grad():
    print("accuracy", (model(test_x).argmax(dim=1) == test_y).float().mean().item())
