import random
import numpy as np
from sklearn.datasets import load_digits

random.seed(3)
np.random.seed(3)


class Network:
    def __init__(self, sizes):
        self.weights = [np.random.randn(n, m) for m, n in zip(sizes, sizes[1:])]
        self.biases = [np.zeros((n, 1)) for n in sizes[1:]]

    def forward(self, a):
        activations = [a]
        for w, b in zip(self.weights[:-1], self.biases[:-1]):
            a = np.maximum(w @ a + b, 0)
            activations.append(a)
        z = self.weights[-1] @ a + self.biases[-1]
        z = z - z.max(axis=0, keepdims=True)
        return activations, z - np.log(np.exp(z).sum(axis=0, keepdims=True))

    def update(self, x, t, eta):
        activations, logp = self.forward(x)
        delta = (np.exp(logp) - t) / x.shape[1]
        for k in reversed(range(len(self.weights))):
            a = activations[k]
            back = self.weights[k].T @ delta
            self.weights[k] -= eta * delta @ a.T
            self.biases[k] -= eta * delta.sum(axis=1, keepdims=True)
            delta = back * (a > 0)
        return -(t * logp).sum() / x.shape[1]

    def evaluate(self, x, y):
        hits = 0
        for i in range(0, x.shape[1], 10):
            _, logp = self.forward(x[:, i:i + 10])
            hits += np.sum(np.argmax(logp, axis=1) == y[i:i + 10])
        return hits


bunch = load_digits()
order = list(range(1790))
random.shuffle(order)
x, y = bunch.data[order].T / 16, bunch.target[order]
t = np.eye(10)[y].T
net = Network([64, 30, 10])
for epoch in range(20):
    losses = []
    for i in range(0, 1500, 10):
        losses.append(net.update(x[:, i:i + 10], t[:, i:i + 10], 0.05))
    print(f"Epoch {epoch}: loss {np.mean(losses):.3f}, {net.evaluate(x[:, 1500:], y[1500:])} / 290")
