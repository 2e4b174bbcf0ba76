import gzip, os
import numpy as np

rng = np.random.default_rng(2)
D = os.environ["MNIST_DIR"]

def images(f, n): return np.frombuffer(gzip.open(os.path.join(D, f)).read(), np.uint8, offset=16).reshape(-1, 784)[:n].T
def labels(f, n): return np.frombuffer(gzip.open(os.path.join(D, f)).read(), np.uint8, offset=8)[:n]

Xtr = images("train-images-idx3-ubyte.gz", 5000) / 255
ytr = labels("train-labels-idx1-ubyte.gz", 5000)
Xte = images("t10k-images-idx3-ubyte.gz", 2000) / 255
yte = labels("t10k-labels-idx1-ubyte.gz", 2000)

# each pixel to mean 0 and deviation 1
mu = Xtr.mean(axis=1, keepdims=True)
sigma = Xtr.std(axis=1, keepdims=True)
Xtr = (Xtr - mu) / sigma
Xte = (Xte - mu) / sigma

W1, b1 = rng.normal(0, 0.03, (40, 784)), np.zeros((40, 1))
W2, b2 = rng.normal(0, 0.15, (10, 40)), np.zeros((10, 1))

def forward(X):
    A = np.tanh(W1 @ X + b1)
    Z = W2 @ A + b2
    Z -= Z.max(axis=0)
    return A, Z - np.log(np.exp(Z).sum(axis=0))

for epoch in range(12):
    for cols in np.array_split(rng.permutation(5000), 100):
        X, T = Xtr[:, cols], np.eye(10)[:, ytr[cols]]
        A, logp = forward(X)
        d2 = (np.exp(logp) - T) / X.shape[1]
        d1 = (W2.T @ d2) * (1 - A ** 2)
        W2 -= 0.1 * d2 @ A.T; b2 -= 0.1 * d2.sum(1, keepdims=True)
        W1 -= 0.1 * d1 @ X.T; b1 -= 0.1 * d1.sum(1, keepdims=True)
    _, logp = forward(Xte)
    print(epoch, "test loss", -logp[yte, np.arange(2000)].mean(), "test accuracy", (logp.argmax(0) == yte).mean())
