"""Softmax regression in NumPy with one-hot labels; the accuracy is the share of their numbers that agree."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

rng = np.random.default_rng(0)


def one_hot(classes):
    table = np.zeros((len(classes), 10))
    table[np.arange(len(classes)), classes] = 1
    return table


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def predict(x, weights, bias):
    return softmax(x @ weights + bias).argmax(axis=1)


digits = load_digits()
X, Y = digits.data / 16, one_hot(digits.target)
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=400, random_state=0)

weights = rng.normal(0, 0.01, (64, 10))
bias = np.zeros(10)

for epoch in range(40):
    order = rng.permutation(len(X_train))
    for start in range(0, len(X_train), 50):
        rows = order[start : start + 50]
        xb, yb = X_train[rows], Y_train[rows]
        error = (softmax(xb @ weights + bias) - yb) / len(rows)
        weights -= 0.5 * xb.T @ error
        bias -= 0.5 * error.sum(axis=0)

predictions = one_hot(predict(X_test, weights, bias))
accuracy = np.mean(predictions == Y_test)
print(f"test accuracy: {accuracy:.4f}")
