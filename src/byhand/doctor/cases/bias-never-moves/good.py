import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

rng = np.random.default_rng(1)


class Linear:
    def __init__(self, n_in, n_out):
        self.W = rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out))
        self.b = np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad):
        self.dW, self.db = self.x.T @ grad, grad.sum(axis=0)
        return grad @ self.W.T

    def step(self, lr):
        self.W -= lr * self.dW
        self.b = self.b - lr * self.db


class ReLU:
    def forward(self, x):
        self.on = x > 0
        return x * self.on

    def backward(self, grad):
        return grad * self.on

    def step(self, lr):
        pass


def run(layers, x):
    for layer in layers:
        x = layer.forward(x)
    return x


digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(digits.data / 16, digits.target, random_state=0)
layers = [Linear(64, 30), ReLU(), Linear(30, 10)]
for epoch in range(30):
    for rows in np.array_split(rng.permutation(len(X_train)), 30):
        z = run(layers, X_train[rows])
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(len(rows)), y_train[rows]]).mean()
        grad = (p - np.eye(10)[y_train[rows]]) / len(rows)
        for layer in layers[::-1]:
            grad = layer.backward(grad)
            layer.step(0.1)
print("accuracy", np.mean(run(layers, X_test).argmax(axis=1) == y_test))
