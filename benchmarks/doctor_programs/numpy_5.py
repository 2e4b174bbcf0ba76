import gzip
import os
import numpy as np


def mnist(part, n):
    folder = os.environ["MNIST_DIR"]
    with gzip.open(f"{folder}/{part}-images-idx3-ubyte.gz") as f:
        x = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 784)[:n]
    with gzip.open(f"{folder}/{part}-labels-idx1-ubyte.gz") as f:
        y = np.frombuffer(f.read(), np.uint8, offset=8)[:n]
    return x.astype(float) / 255, y.astype(int)


def initialize_parameters(n_x, n_h, n_y):
    rng = np.random.default_rng(0)
    return {
        "W1": np.zeros((n_x, n_h)),
        "b1": np.zeros((1, n_h)),
        "W2": np.zeros((n_h, n_y)),
        "b2": np.zeros((1, n_y)),
    }


def forward_propagation(X, p):
    Z1 = X @ p["W1"] + p["b1"]
    A1 = np.maximum(Z1, 0)
    Z2 = A1 @ p["W2"] + p["b2"]
    Z2 = Z2 - Z2.max(axis=1, keepdims=True)
    logp = Z2 - np.log(np.exp(Z2).sum(axis=1, keepdims=True))
    return logp, {"Z1": Z1, "A1": A1}


def backward_propagation(X, Y, logp, p, cache):
    m = len(X)
    dZ2 = (np.exp(logp) - Y) / m
    dZ1 = dZ2 @ p["W2"].T * (cache["Z1"] > 0)
    return {"W2": cache["A1"].T @ dZ2, "b2": dZ2.sum(0, keepdims=True), "W1": X.T @ dZ1, "b1": dZ1.sum(0, keepdims=True)}


X, y = mnist("train", 6000)
X_test, y_test = mnist("t10k", 2000)
Y = np.eye(10)[y]
params = initialize_parameters(784, 40, 10)
rng = np.random.default_rng(1)
for epoch in range(15):
    for rows in np.array_split(rng.permutation(len(X)), 120):
        logp, cache = forward_propagation(X[rows], params)
        grads = backward_propagation(X[rows], Y[rows], logp, params, cache)
        for name in params:
            params[name] = params[name] - 0.2 * grads[name]
    logp, _ = forward_propagation(X, params)
    cost = -(Y * logp).sum() / len(X)
    logp, _ = forward_propagation(X_test, params)
    acc = np.mean(np.argmax(logp, axis=1) == y_test) * 100
    print(f"epoch {epoch:2d}  cost {cost:.4f}  test accuracy {acc:.2f}%")
