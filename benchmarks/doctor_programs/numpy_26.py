import numpy as np
from sklearn.datasets import load_digits

rng = np.random.default_rng(64)
bunch = load_digits()
shuffled = rng.permutation(1797)
data, target = bunch.data[shuffled].T / 16, bunch.target[shuffled]
split = 1437
x_train, y_train, x_test, y_test = data[:, :split], target[:split], data[:, split:], target[split:]

sizes = [64, 50, 30, 10]
W = [rng.normal(0, np.sqrt(2 / m), (n, m)) for m, n in zip(sizes[:-1], sizes[1:])]
B = [np.zeros((n, 1)) for n in sizes[1:]]
vW = [np.zeros_like(w) for w in W]
vB = [np.zeros_like(b) for b in B]
beta, alpha = 0.9, 0.05


def feed(x):
    acts = [x]
    for w, b in zip(W, B):
        acts.append(np.maximum(0, w @ acts[-1] + b))
    return acts


def softmax(z):
    e = np.exp(z - z.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


for epoch in range(20):
    perm = rng.permutation(split)
    for start in range(0, split, 48):
        cols = perm[start:start + 48]
        acts = feed(x_train[:, cols])
        g = softmax(acts[-1])
        g[y_train[cols], np.arange(cols.size)] -= 1
        g /= cols.size
        for i in (2, 1, 0):
            g = g * (acts[i + 1] > 0)
            dw, db = g @ acts[i].T, g.sum(axis=1, keepdims=True)
            g = W[i].T @ g
            vW[i] = beta * vW[i] + (1 - beta) * dw
            vB[i] = beta * vB[i] + (1 - beta) * db
            W[i] -= alpha * vW[i]
            B[i] -= alpha * vB[i]
    probs = softmax(feed(x_test)[-1])
    loss = -np.log(probs[y_test, np.arange(y_test.size)]).mean()
    if epoch % 5 == 4:
        print(f"{epoch + 1:2d}: test loss {loss:.3f}, test accuracy {(probs.argmax(axis=0) == y_test).mean():.3f}")
