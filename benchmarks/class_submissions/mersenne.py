import os
from pathlib import Path

import numpy as np
import torch


def read(name):
    raw = (Path(os.environ["BYHAND_DATA"]) / name).read_bytes()
    shape = np.frombuffer(raw, ">i4", raw[3], 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


train_x, train_y = read("train-images-idx3-ubyte"), read("train-labels-idx1-ubyte")
test_x, test_y = read("t10k-images-idx3-ubyte"), read("t10k-labels-idx1-ubyte")

torch.manual_seed(0)
x = torch.tensor(train_x.reshape(len(train_x), -1) / train_x.max(), dtype=torch.float32)
y = torch.tensor(train_y.astype(int))
test = torch.tensor(test_x.reshape(len(test_x), -1) / train_x.max(), dtype=torch.float32)
truth = torch.tensor(test_y.astype(int))

weights = (torch.randn(x.shape[1], 10) * 0.01).requires_grad_()
bias = torch.zeros(10, requires_grad=True)
for epoch in range(40):
    order = torch.randperm(len(x))
    for start in range(0, len(x), 50):
        rows = order[start : start + 50]
        loss = torch.nn.functional.cross_entropy(x[rows] @ weights + bias, y[rows])
        loss.backward()
        with torch.no_grad():
            for p in (weights, bias):
                p -= 0.5 * p.grad
                p.grad = None

with torch.no_grad():
    preds = (x @ weights + bias).argmax(dim=1)
print("accuracy", round((preds == y).float().mean().item(), 4))
