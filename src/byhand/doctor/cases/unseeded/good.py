"""A network of two layers, in NumPy."""

import numpy as np
from sklearn.datasets import load_digits

np.random.seed(0)
digits = load_digits()
order = np.random.permutation(len(digits.target))
x, y = digits.data[order] / 16, digits.target[order]
x_train, x_test, y_train, y_test = x[:1400], x[1400:], y[:1400], y[1400:]

w1 = np.random.randn(64, 48) * np.sqrt(2 / 64)
b1 = np.zeros(48)
w2 = np.random.randn(48, 10) * np.sqrt(1 / 48)
b2 = np.zeros(10)


def forward(rows):
    hidden = np.maximum(rows @ w1 + b1, 0)
    scores = hidden @ w2 + b2
    exps = np.exp(scores - scores.max(axis=1, keepdims=True))
    return hidden, exps / exps.sum(axis=1, keepdims=True)


for epoch in range(40):
    for start in range(0, len(x_train), 50):
        rows, labels = x_train[start : start + 50], y_train[start : start + 50]
        hidden, probs = forward(rows)
        d_scores = (probs - np.eye(10)[labels]) / len(rows)
        d_hidden = (d_scores @ w2.T) * (hidden > 0)
        w2 -= 0.3 * hidden.T @ d_scores
        b2 -= 0.3 * d_scores.sum(axis=0)
        w1 -= 0.3 * rows.T @ d_hidden
        b1 -= 0.3 * d_hidden.sum(axis=0)

_, probs = forward(x_test)
print("test accuracy", round((probs.argmax(axis=1) == y_test).mean(), 4))
