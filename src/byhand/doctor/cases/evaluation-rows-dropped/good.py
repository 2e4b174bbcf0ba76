"""Softmax regression in NumPy; the test rows are judged in batches, the last of them a shorter one."""

import numpy as np
from sklearn.datasets import load_digits

rng = np.random.default_rng(0)
digits = load_digits()
order = rng.permutation(len(digits.target))
X, Y = digits.data[order] / 16, digits.target[order]
X_train, Y_train = X[:1400], Y[:1400]
X_test, Y_test = X[1400:], Y[1400:]

W = rng.normal(0, 0.01, (64, 10))
b = np.zeros(10)
batch_size = 50


def scores(x):
    return x @ W + b


def probabilities(x):
    z = scores(x)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


for epoch in range(30):
    order = rng.permutation(len(X_train))
    for i in range(len(X_train) // batch_size):
        rows = order[i * batch_size : (i + 1) * batch_size]
        xb, yb = X_train[rows], Y_train[rows]
        gradient = (probabilities(xb) - np.eye(10)[yb]) / len(xb)
        W -= 0.5 * xb.T @ gradient
        b -= 0.5 * gradient.sum(axis=0)

correct = 0
for i in range(-(-len(X_test) // batch_size)):
    xb = X_test[i * batch_size : (i + 1) * batch_size]
    yb = Y_test[i * batch_size : (i + 1) * batch_size]
    correct += (scores(xb).argmax(axis=1) == yb).sum()
print(f"test accuracy: {correct / len(X_test):.4f}")
