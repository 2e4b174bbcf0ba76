import numpy as np
from sklearn.datasets import load_digits


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def initialize(sizes, seed=2):
    rng = np.random.default_rng(seed)
    params = {}
    for i in range(1, len(sizes)):
        params[f"W{i}"] = rng.normal(0, 1 / np.sqrt(sizes[i - 1]), (sizes[i - 1], sizes[i]))
        params[f"b{i}"] = np.zeros((1, sizes[i]))
    return params


def forward(params, x):
    a1 = np.tanh(x @ params["W1"] + params["b1"])
    return a1, sigmoid(a1 @ params["W2"] + params["b2"])


def backward(params, x, y, a1, a2):
    m = len(x)
    dz2 = a2 - y
    dz1 = dz2 @ params["W2"].T * (1 - a1**2)
    return {
        "W1": x.T @ dz1 / m,
        "b1": dz1.sum(axis=0, keepdims=True) / m,
        "W2": a1.T @ dz2 / m,
        "b2": dz2.sum(axis=0, keepdims=True) / m,
    }


digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.target))
x, labels = digits.data[order] / 16, digits.target[order]
y = np.eye(10)[labels]
params = initialize([64, 25, 10])
history = []
for step in range(1500):
    rows = slice(step % 29 * 50, step % 29 * 50 + 50)
    a1, a2 = forward(params, x[rows])
    loss = -np.mean(y[rows] * np.log(a2) + (1 - y[rows]) * np.log(1 - a2))
    history.append(loss)
    grads = backward(params, x[rows], y[rows], a1, a2)
    for name in params:
        params[name] -= 1.0 * grads[name]
    if step % 300 == 299:
        print(f"step {step + 1}: loss {loss:.4f}")
accuracy = np.mean(forward(params, x[1450:])[1].argmax(axis=1) == labels[1450:])
print(f"accuracy on the other images: {accuracy:.3f}")
