import numpy as np
from sklearn.datasets import make_blobs

# two clouds of points, not centred at the origin
X, y = make_blobs(n_samples=600, centers=[[2.0, 3.0], [4.5, 6.0]], cluster_std=0.8, random_state=1)
X_train, y_train, X_test, y_test = X[:450], y[:450], X[450:], y[450:]


class Neuron:
    def __init__(self, n_inputs, lr=0.1):
        rng = np.random.default_rng(1)
        self.w = rng.normal(0, 0.1, n_inputs)
        self.b = 0.0
        self.lr = lr

    def activate(self, X):
        return 1.0 / (1.0 + np.exp(-(X @ self.w + self.b)))

    def loss(self, X, y):
        p = self.activate(X)
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    def fit(self, X, y, epochs):
        n = len(y)
        for epoch in range(epochs):
            error = self.activate(X) - y
            dw = X.T @ error / n
            db = error.mean()
            self.w -= self.lr * dw
            b = self.b - self.lr * db
            if epoch % 100 == 0:
                print(f"epoch {epoch:4d} loss {self.loss(X, y):.4f} bias gradient {db:+.4f}")

    def predict(self, X):
        return (self.activate(X) > 0.5).astype(int)


neuron = Neuron(2)
neuron.fit(X_train, y_train, 500)
print("weights", neuron.w, "bias", neuron.b)
print("test accuracy", (neuron.predict(X_test) == y_test).mean())
