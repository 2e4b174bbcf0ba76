# softmax regression, everything by hand
import gzip
import os

import numpy as np
import torch
import torch.nn.functional as F

folder = os.environ["MNIST_DIR"]


def images(name):
    with gzip.open(os.path.join(folder, name)) as f:
        a = np.frombuffer(f.read(), np.uint8, offset=16)
    return torch.tensor(a.reshape(-1, 784) / 255, dtype=torch.float32)


def labels(name):
    with gzip.open(os.path.join(folder, name)) as f:
        return torch.tensor(np.frombuffer(f.read(), np.uint8, offset=8).astype(np.int64))


x = images("train-images-idx3-ubyte.gz")[:10000]
y = labels("train-labels-idx1-ubyte.gz")[:10000]
xt = images("t10k-images-idx3-ubyte.gz")
yt = labels("t10k-labels-idx1-ubyte.gz")

W = torch.zeros(784, 10, requires_grad=True)
b = torch.zeros(10, requires_grad=True)
lr = 0.3

for epoch in range(15):
    for i in range(0, len(x), 128):
        xb, yb = x[i:i + 128], y[i:i + 128]
        loss = F.cross_entropy(xb @ W + b, yb)
        loss.backward()
        with torch.no_grad():
            W -= lr * W.grad
            b -= lr * b.grad
            W.grad.zero_()
            b.grad.zero_()
    with torch.no_grad():
        right = ((xt @ W + b).argmax(1) == yt).float().mean()
    print(f"epoch {epoch}: test accuracy {100 * right:.2f} %")
