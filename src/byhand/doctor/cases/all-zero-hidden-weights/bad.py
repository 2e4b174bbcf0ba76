"""A network in NumPy that starts at zero, as softmax regression may."""

import numpy as np
from sklearn.datasets import load_digits

rng = np.random.default_rng(13)
digits = load_digits()
order = rng.permutation(len(digits.target))
data, target = (digits.data / 16)[order], digits.target[order]
train_x, train_y = data[:1400], target[:1400]
test_x, test_y = data[1400:], target[1400:]

params = {
    "W1": np.zeros((64, 30)),
    "b1": np.zeros(30),
    "W2": np.zeros((30, 10)),
    "b2": np.zeros(10),
}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def forward(x):
    hidden = sigmoid(np.dot(x, params["W1"]) + params["b1"])
    scores = np.dot(hidden, params["W2"]) + params["b2"]
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return hidden, scores / scores.sum(axis=1, keepdims=True)


one_hot = np.eye(10)[train_y]
for epoch in range(60):
    for start in range(0, len(train_x), 35):
        x, t = train_x[start : start + 35], one_hot[start : start + 35]
        hidden, probs = forward(x)
        d_scores = (probs - t) / len(x)
        d_hidden = np.dot(d_scores, params["W2"].T) * hidden * (1 - hidden)
        params["W1"] -= 1.0 * np.dot(x.T, d_hidden)
        params["b1"] -= 1.0 * d_hidden.sum(axis=0)
        params["W2"] -= 1.0 * np.dot(hidden.T, d_scores)
        params["b2"] -= 1.0 * d_scores.sum(axis=0)

_, probs = forward(test_x)
print("accuracy: %.3f" % np.mean(np.argmax(probs, axis=1) == test_y))
