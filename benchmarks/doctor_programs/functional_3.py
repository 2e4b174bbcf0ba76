import gzip
import os

import numpy as np
import torch

torch.manual_seed(0)


def read(name, offset):
    with gzip.open(os.path.join(os.environ["MNIST_DIR"], name), "rb") as f:
        return torch.tensor(np.frombuffer(f.read(), np.uint8, offset=offset))


def prepare(split, n):
    x = read(split + "-images-idx3-ubyte.gz", 16).view(-1, 784)[:n].float() / 255
    y = read(split + "-labels-idx1-ubyte.gz", 8)[:n].long()
    xs, ys = [], []
    for digit in range(10):
        xs.append(x[y == digit])
        ys.append(torch.full((len(xs[-1]), 1), digit))
    return torch.cat(xs), torch.cat(ys)


x_train, y_train = prepare("train", 10000)
x_valid, y_valid = prepare("t10k", 10000)

weights = torch.zeros(784, 10, requires_grad=True)
bias = torch.zeros(10, requires_grad=True)


def model(x):
    return x @ weights + bias


def cross_entropy(logits, y):
    return -torch.log_softmax(logits, 1).gather(1, y).mean()


def accuracy(logits, y):
    return (logits.argmax(1) == y).float().mean()


for epoch in range(10):
    for i in range(0, len(x_train), 100):
        xb, yb = x_train[i:i + 100], y_train[i:i + 100]
        loss = cross_entropy(model(xb), yb)
        loss.backward()
        with torch.no_grad():
            for p in (weights, bias):
                p -= 0.3 * p.grad
                p.grad = None
    with torch.no_grad():
        print(f"epoch {epoch}: valid accuracy {accuracy(model(x_valid), y_valid):.4f}")
