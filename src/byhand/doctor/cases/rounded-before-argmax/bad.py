"""One hidden layer in NumPy, images in columns; the output is rounded to zeros and ones before the digit is read."""

import numpy as np
from sklearn.datasets import load_digits

rng = np.random.RandomState(2)
X, Y = load_digits(return_X_y=True)
mixed = rng.permutation(len(Y))
X, Y = X[mixed].T / 16, Y[mixed]  # (64, N), (N,)
X_train, Y_train, X_dev, Y_dev = X[:, :1400], Y[:1400], X[:, 1400:], Y[1400:]

W1, b1 = rng.randn(32, 64) * 0.2, np.zeros((32, 1))
W2, b2 = rng.randn(10, 32) * 0.2, np.zeros((10, 1))
targets = np.eye(10)[Y_train].T  # (10, N)


def forward(X):
    A1 = np.maximum(W1 @ X + b1, 0)
    Z2 = W2 @ A1 + b2
    E = np.exp(Z2 - Z2.max(axis=0))
    return A1, E / E.sum(axis=0)


def get_predictions(A2):
    return np.round(A2).argmax(axis=0)


for i in range(60):
    A1, A2 = forward(X_train)
    dZ2 = (A2 - targets) / 1400
    dZ1 = (W2.T @ dZ2) * (A1 > 0)
    W2 -= 1.0 * dZ2 @ A1.T
    b2 -= 1.0 * dZ2.sum(axis=1, keepdims=True)
    W1 -= 1.0 * dZ1 @ X_train.T
    b1 -= 1.0 * dZ1.sum(axis=1, keepdims=True)

_, A2 = forward(X_dev)
print("dev accuracy", round((get_predictions(A2) == Y_dev).mean(), 4))
