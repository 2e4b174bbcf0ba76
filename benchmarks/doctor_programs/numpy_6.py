import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

rng = np.random.default_rng(8)


class Linear:
    def __init__(self, n, m):
        self.W = rng.standard_normal((n, m)) * np.sqrt(2 / n)
        self.b = rng.standard_normal(m) * 0.3

    def __call__(self, x):
        self.x = x
        return x @ self.W + self.b

    def grad(self, g):
        self.dW, self.db = self.x.T @ g, g.sum(0)
        return g @ self.W.T

    def step(self, lr):
        self.W -= lr * self.dW
        b = self.b - lr * self.db


class ReLU:
    def __call__(self, x):
        self.on = x > 0
        return x * self.on

    def grad(self, g):
        return g * self.on

    def step(self, lr):
        pass


class CrossEntropy:
    def __call__(self, z, y):
        z = z - z.max(1, keepdims=True)
        self.logp, self.y = z - np.log(np.exp(z).sum(1, keepdims=True)), y
        return -self.logp[np.arange(len(y)), y].mean()

    def grad(self):
        g = np.exp(self.logp)
        g[np.arange(len(self.y)), self.y] -= 1
        return g / len(self.y)


def predict(net, x):
    for layer in net:
        x = layer(x)
    return x


d = load_digits()
X_train, X_test, y_train, y_test = train_test_split(d.data / 16, d.target, test_size=300, random_state=4)
by_class = np.argsort(y_train)
X_train, y_train = X_train[by_class], y_train[by_class]
net, loss_fn = [Linear(64, 48), ReLU(), Linear(48, 10)], CrossEntropy()
for epoch in range(25):
    for i in range(0, len(X_train), 32):
        x, y = X_train[i:i + 32], y_train[i:i + 32]
        loss = loss_fn(predict(net, x), y)
        g = loss_fn.grad()
        for layer in net[::-1]:
            g = layer.grad(g)
        for layer in net:
            layer.step(0.2)
    if epoch % 5 == 4:
        print("epoch", epoch + 1, "accuracy on test rows:", np.mean(predict(net, X_test).argmax(1) == y_test))
