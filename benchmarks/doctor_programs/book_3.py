import gzip
import os

import numpy as np
import torch

batch_size = 256
num_inputs, num_outputs = 784, 10


def fetch(part, rows):
    folder = os.environ["MNIST_DIR"]
    with gzip.open(os.path.join(folder, f"{part}-images-idx3-ubyte.gz")) as f:
        X = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, num_inputs)
    with gzip.open(os.path.join(folder, f"{part}-labels-idx1-ubyte.gz")) as f:
        y = np.frombuffer(f.read(), np.uint8, offset=8)
    return torch.tensor(X[:rows] / 255.0, dtype=torch.float32), torch.tensor(y[:rows], dtype=torch.int64)


def batches(X, y, shuffle):
    order = np.random.permutation(len(y)) if shuffle else np.arange(len(y))
    for i in range(0, len(y), batch_size):
        j = torch.from_numpy(order[i:i + batch_size])
        yield X[j], y[j]


def net(X):
    return torch.matmul(X, W) + b


def cross_entropy(logits, y):
    y_hat = torch.softmax(logits, dim=1)
    return -torch.log(y_hat[range(len(y_hat)), y])


def accuracy(y_hat, y):
    return float((y_hat.argmax(dim=1) == y).float().mean())


def evaluate_accuracy(data):
    with torch.no_grad():
        for X, y in data:
            acc = accuracy(net(X), y)
    return acc


def sgd(params, lr):
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad
            param.grad.zero_()


torch.manual_seed(0)
np.random.seed(0)
W = torch.normal(0, 0.01, size=(num_inputs, num_outputs), requires_grad=True)
b = torch.zeros(num_outputs, requires_grad=True)
train_data, test_data = fetch("train", 10000), fetch("t10k", 5000)
for epoch in range(12):
    for X, y in batches(*train_data, True):
        l = cross_entropy(net(X), y).mean()
        l.backward()
        sgd([W, b], 0.2)
    print(f"epoch {epoch + 1}, test acc {evaluate_accuracy(batches(*test_data, False)):.4f}")
