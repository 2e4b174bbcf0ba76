import numpy as np
from sklearn.datasets import load_digits

rng = np.random.default_rng(3)
images, digits = load_digits(return_X_y=True)
order = rng.permutation(len(digits))
images, digits = images[order] / 16, digits[order]
train_x, train_y = images[:1400], digits[:1400]
test_x, test_y = images[1400:], digits[1400:]
one_hot = np.eye(10)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def train(epochs, rate, batch=40):
    w1, b1 = rng.normal(0, 0.3, (64, 32)), np.zeros(32)
    w2, b2 = rng.normal(0, 0.3, (32, 10)), np.zeros(10)
    for epoch in range(epochs):
        total = 0.0
        for start in range(0, len(train_x), batch):
            x, t = train_x[start : start + batch], one_hot[train_y[start : start + batch]]
            h = np.maximum(x @ w1 + b1, 0)
            p = softmax(h @ w2 + b2)
            loss = -(t * np.log(p + 1e-12)).sum(axis=1).mean()
            total += loss * len(x)
            dz = (p - t) / len(x)
            dh = dz @ w2.T * (h > 0)
            w2 -= rate * h.T @ dz
            b2 -= rate * dz.sum(axis=0)
            w1 -= rate * x.T @ dh
            b1 -= rate * dh.sum(axis=0)
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: loss {total / len(train_x):.3f}")
    return w1, b1, w2, b2


w1, b1, w2, b2 = train(epochs=15, rate=0.6)
scores = np.maximum(test_x @ w1 + b1, 0) @ w2 + b2
print("test accuracy", (scores.argmax(axis=1) == test_y).mean())
