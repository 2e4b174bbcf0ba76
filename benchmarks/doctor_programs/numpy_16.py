"""Reduced-rank softmax regression: the 64x10 weight matrix is the product U @ V of rank 6.

There is no activation between U and V on purpose, the columns of U are looked at as 'features'.
"""
import numpy as np
from sklearn.datasets import load_digits

RANK = 6
rng = np.random.default_rng(5)

data = load_digits()
x = data.data / 8.0 - 1.0
y = data.target
perm = rng.permutation(len(y))
train, test = perm[:1300], perm[1300:]

U = rng.normal(scale=1 / 8, size=(64, RANK))
V = rng.normal(scale=1 / np.sqrt(RANK), size=(RANK, 10))
b = np.zeros(10)


def probabilities(x):
    s = x @ U @ V + b
    s -= s.max(axis=1, keepdims=True)
    e = np.exp(s)
    return e / e.sum(axis=1, keepdims=True)


velocity = [np.zeros_like(p) for p in (U, V, b)]
for epoch in range(60):
    rng.shuffle(train)
    for i in range(0, len(train), 52):
        rows = train[i:i + 52]
        d = probabilities(x[rows])
        d[np.arange(len(rows)), y[rows]] -= 1
        d /= len(rows)
        grads = (x[rows].T @ d @ V.T, (x[rows] @ U).T @ d, d.sum(axis=0))
        for p, g, v in zip((U, V, b), grads, velocity):
            v *= 0.8
            v -= 0.04 * g
            p += v

p = probabilities(x[test])
print("rank of the weights:", np.linalg.matrix_rank(U @ V))
print("test cross entropy: %.4f" % -np.log(p[np.arange(len(test)), y[test]]).mean())
print("test accuracy:      %.4f" % (p.argmax(axis=1) == y[test]).mean())
