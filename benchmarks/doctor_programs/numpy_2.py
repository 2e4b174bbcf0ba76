import gzip
import os
import numpy as np

np.random.seed(5)
path = os.environ["MNIST_DIR"]


def load(prefix, count):
    with gzip.open(path + "/" + prefix + "-images-idx3-ubyte.gz", "rb") as f:
        pics = np.frombuffer(f.read(), dtype=np.uint8, offset=16).reshape(-1, 784)[:count]
    with gzip.open(path + "/" + prefix + "-labels-idx1-ubyte.gz", "rb") as f:
        labs = np.frombuffer(f.read(), dtype=np.uint8, offset=8)[:count]
    return pics.T.astype(np.float32) / 255, labs


class Dense:
    def __init__(self, n_in, n_out):
        self.W = (np.random.randn(n_out, n_in) * np.sqrt(2 / n_in)).astype(np.float32)
        self.b = np.zeros((n_out, 1), dtype=np.float32)

    def forward(self, a):
        self.a = a
        return self.W @ a + self.b

    def backward(self, grad, lr):
        back = self.W.T @ grad
        self.W -= lr * grad @ self.a.T
        self.b -= lr * grad.sum(axis=1, keepdims=True)
        return back


class Relu:
    def forward(self, z):
        self.mask = z > 0
        return z * self.mask

    def backward(self, grad, lr):
        return grad * self.mask


def softmax(z):
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


def run(layers, a):
    for layer in layers:
        a = layer.forward(a)
    return a


X, y = load("train", 10000)
X_test, y_test = load("t10k", 3000)
net = [Dense(784, 40), Relu(), Dense(40, 10)]

for epoch in range(20):
    perm = np.random.permutation(X.shape[1])
    for k in range(0, len(perm), 50):
        cols = perm[k:k + 50]
        probs = softmax(run(net, X[:, cols]))
        grad = probs
        grad[y[cols], np.arange(len(cols))] -= 1
        grad /= len(cols)
        for layer in reversed(net):
            grad = layer.backward(grad, 0.1)
    guess = run(net, X_test).argmax(axis=0)
    print("epoch", epoch, "test:", (guess == y_test).sum(), "of", y_test.size)
