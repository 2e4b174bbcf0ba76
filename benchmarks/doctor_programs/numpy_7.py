import numpy as np
from sklearn.datasets import load_digits

np.random.seed(9)
digits = load_digits()
perm = np.random.permutation(len(digits.target))
data, target = digits.data[perm] / 16, digits.target[perm]
train_x, train_y = data[:1437], target[:1437]
test_x, test_y = data[1437:], target[1437:]


def one_hot(labels):
    out = np.zeros((labels.size, 10), dtype=int)
    out[np.arange(labels.size), labels] = 1
    return out


def softmax(z):
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def predict(x):
    probs = softmax(x @ weights + bias)
    one = probs.astype(int)
    return one.argmax(axis=1)


weights = np.random.randn(64, 10) * 0.01
bias = np.zeros((1, 10))
learning_rate = 1e-4
truth = one_hot(train_y)
for epoch in range(40):
    order = np.random.permutation(len(train_x))
    for k in range(0, len(order), 48):
        rows = order[k:k + 48]
        error = softmax(train_x[rows] @ weights + bias) - truth[rows]
        weights -= learning_rate * train_x[rows].T @ error / len(rows)
        bias -= learning_rate * error.mean(axis=0, keepdims=True)
print(f"test accuracy: {np.mean(predict(test_x) == test_y):.3f}")
