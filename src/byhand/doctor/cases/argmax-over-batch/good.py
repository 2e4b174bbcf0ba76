"""A two-layer network in NumPy with one image a column: the classes stand on axis 0, and argmax over it is right."""

import numpy as np
from sklearn.datasets import load_digits

rng = np.random.default_rng(4)
digits = load_digits()
order = rng.permutation(1790)
X, Y = digits.data[order].T / 16, digits.target[order]  # (64, N), (N,)
X_train, Y_train, X_test, Y_test = X[:, 300:], Y[300:], X[:, :300], Y[:300]

W1, b1 = rng.normal(0, 0.15, (40, 64)), np.zeros((40, 1))
W2, b2 = rng.normal(0, 0.15, (10, 40)), np.zeros((10, 1))


def forward(x):
    a1 = np.maximum(W1 @ x + b1, 0)
    z2 = W2 @ a1 + b2
    e = np.exp(z2 - z2.max(axis=0))
    return a1, e / e.sum(axis=0)


def accuracy(x, y):
    hits = 0
    for start in range(0, len(y), 10):
        _, probs = forward(x[:, start : start + 10])
        hits += np.sum(np.argmax(probs, axis=0) == y[start : start + 10])
    return hits / len(y)


for _ in range(20):
    rows = rng.permutation(len(Y_train))
    for start in range(0, len(rows), 10):
        batch = rows[start : start + 10]
        x, y = X_train[:, batch], Y_train[batch]
        a1, probs = forward(x)
        dz2 = (probs - np.eye(10)[y].T) / len(y)
        dz1 = (W2.T @ dz2) * (a1 > 0)
        W2 -= 0.1 * dz2 @ a1.T
        b2 -= 0.1 * dz2.sum(axis=1, keepdims=True)
        W1 -= 0.1 * dz1 @ x.T
        b1 -= 0.1 * dz1.sum(axis=1, keepdims=True)

print(f"Accuracy on the test images: {accuracy(X_test, Y_test):.4f}")
