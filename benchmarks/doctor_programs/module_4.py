import gzip
import os

import numpy as np
import torch
from torch import nn

torch.manual_seed(2)
mnist = os.environ["MNIST_DIR"]


def read_split(split, n):
    with gzip.open(f"{mnist}/{split}-images-idx3-ubyte.gz", "rb") as f:
        f.read(16)
        x = np.frombuffer(f.read(n * 784), dtype=np.uint8).reshape(n, 784)
    with gzip.open(f"{mnist}/{split}-labels-idx1-ubyte.gz", "rb") as f:
        f.read(8)
        y = np.frombuffer(f.read(n), dtype=np.uint8)
    return torch.from_numpy(x.astype("float32") / 255), torch.from_numpy(y.astype("int64"))


class DropNet(nn.Module):
    def __init__(self, hidden=128, p=0.5):
        super().__init__()
        self.lin1 = nn.Linear(784, hidden)
        self.drop = nn.Dropout(p)
        self.lin2 = nn.Linear(hidden, 10)

    def forward(self, x):
        x = self.drop(torch.relu(self.lin1(x)))
        return self.lin2(x)


def fit(model, x, y, epochs, lr):
    opt = torch.optim.SGD(model.parameters(), lr=lr)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        perm = torch.randperm(len(x))
        for i in perm.split(100):
            opt.zero_grad()
            loss = loss_fn(model(x[i]), y[i])
            loss.backward()
            opt.step()


def score(model, x, y):
    with torch.no_grad():
        return (model(x).argmax(1) == y).sum().item()


x_train, y_train = read_split("train", 8000)
x_test, y_test = read_split("t10k", 5000)
model = DropNet()
fit(model, x_train, y_train, epochs=1, lr=0.1)
print(f"Test: {score(model, x_test, y_test)}/{len(y_test)}")
