import gzip, os
import numpy as np
import torch
import torch.nn.functional as F

torch.manual_seed(6)
path = os.environ["MNIST_DIR"]

def load(split, n):
    with gzip.open(path + f"/{split}-images-idx3-ubyte.gz") as f:
        X = np.frombuffer(f.read(), np.uint8, -1, 16).reshape(-1, 784)[:n]
    with gzip.open(path + f"/{split}-labels-idx1-ubyte.gz") as f:
        y = np.frombuffer(f.read(), np.uint8, -1, 8)[:n]
    return torch.tensor(X).float() / 255, torch.tensor(y).long()

X, y = load("train", 8000)
X_test, y_test = load("t10k", 2050)

def layer(n_in, n_out):
    w = torch.empty(n_in, n_out)
    torch.nn.init.kaiming_uniform_(w.T)
    return w.requires_grad_(), torch.zeros(n_out, requires_grad=True)

w1, b1 = layer(784, 50)
w2, b2 = layer(50, 10)
params = [w1, b1, w2, b2]

def forward(x):
    h = torch.relu(x @ w1 + b1)
    return h @ w2 + b2

lr = 0.3
bs = 100
for epoch in range(20):
    perm = torch.randperm(len(X))
    for k in range(0, len(X), bs):
        i = perm[k:k + bs]
        loss = F.cross_entropy(forward(X[i]), y[i])
        loss.backward()
        with torch.no_grad():
            for p in params:
                p -= lr * p.grad

    with torch.no_grad():
        correct = 0
        for k in range(0, len(X_test), 100):
            xb, yb = X_test[k:k + 100], y_test[k:k + 100]
            out = forward(xb)
            correct = (out.argmax(1) == yb).sum().item()
    print("epoch", epoch, "test accuracy", correct / len(yb))
