"""Softmax regression in NumPy; each epoch shuffles images and labels by one permutation."""

import numpy as np
from sklearn.datasets import load_digits

np.random.seed(1)
digits = load_digits()
images, labels = digits.data / 16.0, digits.target
X, y = images[:1400].copy(), labels[:1400].copy()
X_test, y_test = images[1400:], labels[1400:]

W = np.zeros((64, 10))
b = np.zeros(10)


def probabilities(rows):
    scores = rows @ W + b
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


for epoch in range(30):
    order = np.random.permutation(len(X))
    X, y = X[order], y[order]
    for i in range(0, len(X), 50):
        rows, targets = X[i : i + 50], y[i : i + 50]
        delta = probabilities(rows)
        delta[np.arange(len(rows)), targets] -= 1
        delta /= len(rows)
        W -= 0.5 * rows.T @ delta
        b -= 0.5 * delta.sum(axis=0)

guess = probabilities(X_test).argmax(axis=1)
print("test accuracy:", np.mean(guess == y_test))
