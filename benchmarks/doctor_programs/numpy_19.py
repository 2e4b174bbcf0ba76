import numpy as np
from sklearn import datasets

rng = np.random.RandomState(0)
digits = datasets.load_digits()
order = rng.permutation(len(digits.images))
X = digits.images.reshape(-1, 64)[order] / 16.0
T = np.zeros((1797, 10))
T[np.arange(1797), digits.target[order]] = 1
Xtrain, Ttrain, Xtest, Ttest = X[:1500], T[:1500], X[1500:], T[1500:]


class TwoLayerNet:
    def __init__(self, n_in, n_hidden, n_out):
        self.W1 = rng.randn(n_in, n_hidden) * 0.1
        self.b1 = np.zeros(n_hidden)
        self.W2 = rng.randn(n_hidden, n_out) * 0.1
        self.b2 = np.zeros(n_out)

    def forward(self, X):
        self.Z1 = X.dot(self.W1) + self.b1
        self.H = np.maximum(0, self.Z1)
        scores = self.H.dot(self.W2) + self.b2
        scores = scores - scores.max(axis=1)[:, None]
        self.P = np.exp(scores) / np.exp(scores).sum(axis=1)[:, None]
        return self.P

    def loss(self, X, T):
        return -np.sum(T * np.log(self.forward(X) + 1e-15)) / X.shape[0]

    def gradient(self, X, T):
        N = X.shape[0]
        self.forward(X)
        dscores = (self.P - T) / N
        self.dW2 = self.H.T.dot(dscores)
        self.db2 = np.sum(dscores, axis=0)
        dhidden = dscores.dot(self.W2.T)
        dhidden[self.Z1 <= 0] = 0
        self.dW1 = X.T.dot(dhidden) / N
        self.db1 = np.sum(dhidden, axis=0) / N

    def sgd(self, lr):
        self.W1 -= lr * self.dW1
        self.b1 -= lr * self.db1
        self.W2 -= lr * self.dW2
        self.b2 -= lr * self.db2


net = TwoLayerNet(64, 20, 10)
for epoch in range(25):
    for _ in range(15):
        pick = rng.choice(1500, 100, replace=False)
        net.gradient(Xtrain[pick], Ttrain[pick])
        net.sgd(0.5)
    if epoch % 4 == 0:
        print(epoch, 'train loss', round(net.loss(Xtrain, Ttrain), 4))

correct = net.forward(Xtest).argmax(axis=1) == Ttest.argmax(axis=1)
print('Test accuracy:', correct.mean())
