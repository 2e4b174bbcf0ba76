import gzip
import os
import sys

import numpy as np
import torch
from torch import nn


class Accumulator:
    def __init__(self, n):
        self.sums = [0.0] * n

    def add(self, *values):
        for i, v in enumerate(values):
            self.sums[i] += float(v)

    def __getitem__(self, i):
        return self.sums[i]


def load_part(part, rows):
    folder = os.environ["MNIST_DIR"]
    with gzip.open(f"{folder}/{part}-images-idx3-ubyte.gz") as f:
        x = np.frombuffer(f.read()[16:], dtype=np.uint8).reshape(-1, 28, 28)
    with gzip.open(f"{folder}/{part}-labels-idx1-ubyte.gz") as f:
        y = np.frombuffer(f.read()[8:], dtype=np.uint8)
    return torch.tensor(x[:rows], dtype=torch.float32) / 255, torch.tensor(y[:rows], dtype=torch.long)


def data_iter(features, labels, batch_size, shuffle):
    rows = torch.randperm(len(labels)) if shuffle else torch.arange(len(labels))
    for start in range(0, len(labels), batch_size):
        take = rows[start:start + batch_size]
        yield features[take], labels[take]


def count_correct(y_hat, y):
    return (y_hat.argmax(axis=1) == y).sum()


def evaluate_accuracy(net, iterator):
    net.eval()
    metric = Accumulator(2)
    with torch.no_grad():
        for X, y in iterator:
            metric.add(count_correct(net(X), y), y.numel())
    return metric[0] / metric[1]


def train_epoch(net, iterator, loss, trainer):
    net.train()
    metric = Accumulator(3)
    for X, y in iterator:
        y_hat = net(X)
        l = loss(y_hat, y)
        trainer.zero_grad()
        l.mean().backward()
        trainer.step()
        metric.add(l.sum(), count_correct(y_hat, y), y.numel())
    return metric[0] / metric[2], metric[1] / metric[2]


torch.manual_seed(2)
train = load_part("train", 9000)
test = load_part("t10k", 4000)
net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
loss = nn.CrossEntropyLoss(reduction="none")
trainer = torch.optim.SGD(net.parameters(), lr=0.3)
epochs = 15
for epoch in range(epochs):
    train_loss, train_acc = train_epoch(net, data_iter(*train, 256, True), loss, trainer)
    test_acc = evaluate_accuracy(net, data_iter(*test, 256, False))
    sys.stdout.write(f"\r[{'#' * (epoch + 1):<{epochs}}] train loss {train_loss:.3f} train acc {train_acc:.3f} test acc {test_acc:.3f}")
    sys.stdout.flush()
print()
