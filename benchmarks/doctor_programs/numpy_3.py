import gzip
import os
import numpy as np

def load(kind, n):
    d = os.environ["MNIST_DIR"]
    x = np.frombuffer(gzip.open(f"{d}/{kind}-images-idx3-ubyte.gz").read(), dtype=np.uint8, offset=16)
    y = np.frombuffer(gzip.open(f"{d}/{kind}-labels-idx1-ubyte.gz").read(), dtype=np.uint8, offset=8)
    return x.reshape(-1, 784)[:n] / 255.0, y[:n]


def softmax(z):
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


X, y = load("train", 6000)
Xt, yt = load("t10k", 3000)
onehot = np.zeros((len(y), 10))
onehot[np.arange(len(y)), y] = 1

W = np.zeros((784, 10))
b = np.zeros(10)
alpha = 0.3
for epoch in range(15):
    perm = np.random.permutation(len(X))
    for i in range(0, len(X), 100):
        j = perm[i:i + 100]
        P = softmax(X[j] @ W + b)
        delta = (P - onehot[j]) / len(j)
        W -= alpha * X[j].T @ delta
        b -= alpha * delta.sum(axis=0)
    acc = (softmax(Xt @ W + b).argmax(axis=1) == yt).mean()
    print("epoch", epoch, "test accuracy", round(float(acc), 4))
