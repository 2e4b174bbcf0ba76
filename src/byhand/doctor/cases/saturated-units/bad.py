"""A network with one hidden layer in NumPy, its gradients derived on paper."""

import numpy as np
from sklearn.datasets import load_digits

rng = np.random.default_rng(17)
digits = load_digits()
order = rng.permutation(len(digits.target))
data, labels = (digits.data / 16)[order], digits.target[order]
train_x, train_y = data[:1350], labels[:1350]
test_x, test_y = data[1350:], labels[1350:]
one_hot = np.eye(10)[train_y]

W1 = rng.random((64, 40))
b1 = np.zeros(40)
W2 = rng.normal(0, 0.1, (40, 10))
b2 = np.zeros(10)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


lr = 0.5
for epoch in range(40):
    order = rng.permutation(len(train_x))
    for start in range(0, len(order), 30):
        rows = order[start : start + 30]
        x, t = train_x[rows], one_hot[rows]
        hidden = sigmoid(np.dot(x, W1) + b1)
        probs = softmax(np.dot(hidden, W2) + b2)
        d2 = (probs - t) / len(x)
        d1 = np.dot(d2, W2.T) * hidden * (1 - hidden)
        W2 -= lr * np.dot(hidden.T, d2)
        b2 -= lr * d2.sum(axis=0)
        W1 -= lr * np.dot(x.T, d1)
        b1 -= lr * d1.sum(axis=0)

hidden = sigmoid(np.dot(test_x, W1) + b1)
predictions = np.argmax(softmax(np.dot(hidden, W2) + b2), axis=1)
print("test accuracy:", np.mean(predictions == test_y))
