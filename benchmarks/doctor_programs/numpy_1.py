import numpy as np
from sklearn.datasets import load_digits

rng = np.random.default_rng(7)
X, y = load_digits(return_X_y=True)
X = X / 16.0
idx = rng.permutation(len(X))
X, y = X[idx], y[idx]
Xtr, ytr = X[:1400], y[:1400]
Xte, yte = X[1400:], y[1400:]

W1 = rng.normal(0, np.sqrt(2 / 64), (64, 50))
b1 = np.zeros(50)
W2 = rng.normal(0, np.sqrt(1 / 50), (50, 10))
b2 = np.zeros(10)


def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def forward(x):
    h = np.maximum(x @ W1 + b1, 0)
    return h, log_softmax(h @ W2 + b2)


lr = 0.3
for epoch in range(60):
    order = rng.permutation(len(Xtr))
    for start in range(0, len(order), 50):
        rows = order[start:start + 50]
        x, t = Xtr[rows], np.eye(10)[ytr[rows]]
        h, logp = forward(x)
        dz = (np.exp(logp) - t) / len(x)
        dh = dz @ W2.T * (h > 0)
        W2 -= lr * h.T @ dz
        b2 -= lr * dz.sum(axis=0)
        W1 -= lr * x.T @ dh
        b1 -= lr * dh.sum(axis=0)
    if epoch % 10 == 9:
        _, logp = forward(Xte)
        loss = -logp[np.arange(len(yte)), yte].mean()
        acc = np.mean(logp.argmax(axis=1) == yte)
        print(f"epoch {epoch + 1:3d}  test loss {loss:.4f}  test accuracy {acc:.4f}")
