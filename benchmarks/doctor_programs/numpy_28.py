import numpy as np
from sklearn.datasets import load_digits

BATCH = 100


def one_hot(v, n=10):
    out = np.zeros((v.size, n))
    out[np.arange(v.size), v] = 1
    return out


def get_data(seed=13):
    X, y = load_digits(return_X_y=True)
    r = np.random.RandomState(seed)
    i = r.permutation(y.size)
    X, y = X[i].astype('float32') / 16, y[i]
    return X[:1400], one_hot(y[:1400]), X[1400:], one_hot(y[1400:])


def batches(X, Y, size):
    for k in range(len(X) // size):
        yield X[k * size:(k + 1) * size], Y[k * size:(k + 1) * size]


class MLP:
    def __init__(self, d, h, k, seed=13):
        r = np.random.RandomState(seed)
        self.w1 = r.randn(d, h) / np.sqrt(d)
        self.b1 = np.zeros(h)
        self.w2 = r.randn(h, k) / np.sqrt(h)
        self.b2 = np.zeros(k)

    def __call__(self, x):
        self.x = x
        self.h = np.tanh(x.dot(self.w1) + self.b1)
        o = self.h.dot(self.w2) + self.b2
        o -= o.max(1, keepdims=True)
        self.p = np.exp(o)
        self.p /= self.p.sum(1, keepdims=True)
        return self.p

    def learn(self, t, rate):
        d2 = (self.p - t) / len(t)
        d1 = d2.dot(self.w2.T) * (1 - self.h ** 2)
        self.w2 -= rate * self.h.T.dot(d2)
        self.b2 -= rate * d2.sum(0)
        self.w1 -= rate * self.x.T.dot(d1)
        self.b1 -= rate * d1.sum(0)


def main():
    X, T, X_test, T_test = get_data()
    net = MLP(64, 40, 10)
    r = np.random.RandomState(0)
    for epoch in range(40):
        i = r.permutation(len(X))
        for xb, tb in batches(X[i], T[i], BATCH):
            net(xb)
            net.learn(tb, 0.5)
    right = 0
    for xb, tb in batches(X_test, T_test, BATCH):
        right += np.sum(net(xb).argmax(1) == tb.argmax(1))
    print('test accuracy: %.4f' % (right / len(X_test)))


main()
