"""A network with one hidden layer, that keeps its hidden units to look at."""

import numpy as np
import torch
from sklearn.datasets import load_digits

torch.manual_seed(2)
rng = np.random.default_rng(2)
digits = load_digits()
order = rng.permutation(len(digits.target))
x = torch.tensor(digits.data[order] / 16, dtype=torch.float32)
y = torch.tensor(digits.target[order])
x_train, y_train, x_test, y_test = x[:1300], y[:1300], x[1300:], y[1300:]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(64, 32)
        self.out = torch.nn.Linear(32, 10)

    def forward(self, x):
        h = torch.tanh(self.hidden(x))
        self.seen = h.detach()
        return self.out(h)


net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.5)
for epoch in range(30):
    for i in range(0, len(x_train), 50):
        scores = net(x_train[i : i + 50])
        loss = torch.nn.functional.cross_entropy(scores, y_train[i : i + 50])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print("epoch", epoch, "loss", round(loss.item(), 3))

with torch.no_grad():
    hits = (net(x_test).argmax(1) == y_test).sum().item()
print("accuracy", hits / len(y_test))
print("units near an end of tanh:", round((net.seen.abs() > 0.9).float().mean().item(), 3))
