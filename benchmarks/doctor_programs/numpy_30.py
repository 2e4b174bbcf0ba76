# Translated from my MATLAB script softmax_digits.m
import numpy as np
from sklearn.datasets import load_digits

np.random.seed(4)
S = load_digits()
perm = np.random.permutation(1797)
X = S.data[perm, :] / 16
t = S.target[perm]
ntrain = 1200
T = np.zeros((ntrain, 10))
for i in range(ntrain):
    T[i, t[i]] = 1

W = 0.01 * np.random.randn(64, 10)
b = 0.0
eta = 0.4
nepochs = 20
bs = 40

for ep in range(nepochs):
    for k in range(ntrain // bs):
        r = slice(k * bs, (k + 1) * bs)
        a = X[r, :] @ W + b
        a = a - np.max(a, 1, keepdims=True)
        Y = np.exp(a) / np.sum(np.exp(a), 1, keepdims=True)
        D = Y - T[r, :]
        W = W - eta * X[r, :].T @ D / bs
        b = b - eta * np.sum(D) / bs

Xte = X[ntrain:, :]
tte = t[ntrain:]
a = Xte @ W + b
a = a - np.max(a, 1, keepdims=True)
Y = np.exp(a) / np.sum(np.exp(a), 1, keepdims=True)
Y = np.round(Y)
cls = np.argmax(Y, 1)
print('percent correct on test data: %5.1f' % (100 * np.mean(cls == tte)))
print('confusion, first three classes:')
for c in range(3):
    print([int(np.sum((tte == c) & (cls == d))) for d in range(10)])
