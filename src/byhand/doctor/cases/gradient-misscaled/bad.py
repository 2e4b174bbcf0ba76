import numpy as np
from sklearn.datasets import load_digits


class Network:
    """Pictures are columns."""

    def __init__(self, sizes, rng):
        pairs = list(zip(sizes[:-1], sizes[1:]))
        self.weights = [rng.standard_normal((m, n)) * np.sqrt(2 / n) for n, m in pairs]
        self.biases = [np.zeros((m, 1)) for _, m in pairs]

    def forward(self, a):
        self.activations = [a]
        for k, (w, b) in enumerate(zip(self.weights, self.biases)):
            z = np.dot(w, a) + b
            a = np.maximum(z, 0) if k + 1 < len(self.weights) else self.softmax(z)
            self.activations.append(a)
        return a

    @staticmethod
    def softmax(z):
        e = np.exp(z - z.max(axis=0, keepdims=True))
        return e / e.sum(axis=0, keepdims=True)

    def backward(self, y):
        m = y.shape[1]
        delta = self.activations[-1] - y
        grads = []
        for k in reversed(range(len(self.weights))):
            a = self.activations[k]
            grads.insert(0, (np.dot(delta, a.T) / m, np.sum(delta, axis=1, keepdims=True)))
            delta = np.dot(self.weights[k].T, delta) * (a > 0)
        return grads

    def step(self, grads, eta):
        for k, (dw, db) in enumerate(grads):
            self.weights[k] -= eta * dw
            self.biases[k] -= eta * db


rng = np.random.default_rng(0)
x, y = load_digits(return_X_y=True)
order = rng.permutation(len(y))
x, y = x[order].T / 16, y[order]
targets = np.eye(10)[y].T
net = Network([64, 40, 10], rng)
for epoch in range(20):
    for i in range(0, 1440, 48):
        net.forward(x[:, i : i + 48])
        net.step(net.backward(targets[:, i : i + 48]), 0.2)
right = net.forward(x[:, 1440:]).argmax(axis=0) == y[1440:]
print(f"{right.sum()} of {right.size} right")
