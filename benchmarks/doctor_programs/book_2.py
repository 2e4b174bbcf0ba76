import torch
from sklearn.datasets import load_digits
from torch import nn


class Accumulator:
    """sums over n variables"""

    def __init__(self, n):
        self.data = [0.0] * n

    def add(self, *args):
        self.data = [a + float(b) for a, b in zip(self.data, args)]

    def __getitem__(self, idx):
        return self.data[idx]


def accuracy(y_hat, y):
    return float((y_hat.argmax(axis=1) == y).sum()) / len(y)


def evaluate_accuracy(net, data_iter):
    metric = Accumulator(2)
    with torch.no_grad():
        for X, y in data_iter:
            metric.add(accuracy(net(X), y), 1)
    return metric[0] / metric[1]


class BatchIter:
    def __init__(self, X, y, batch_size, shuffle=False):
        self.X, self.y, self.batch_size, self.shuffle = X, y, batch_size, shuffle

    def __iter__(self):
        n = len(self.y)
        idx = torch.randperm(n) if self.shuffle else torch.arange(n)
        for i in range(0, n, self.batch_size):
            j = idx[i:i + self.batch_size]
            yield self.X[j], self.y[j]


def train_epoch(net, train_iter, loss, updater):
    for X, y in train_iter:
        l = loss(net(X), y)
        updater.zero_grad()
        l.backward()
        updater.step()


torch.manual_seed(61)
digits = load_digits()
X, y = torch.tensor(digits.data, dtype=torch.float32), torch.tensor(digits.target)
perm = torch.randperm(len(y))
X, y = X[perm], y[perm]
X_train, X_test, y_train, y_test = X[:1400], X[1400:1785], y[:1400], y[1400:1785]

mean, std = X_train.mean(), X_train.std()
X_train = (X_train - mean) / std
X_test = X_test / 255

net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
updater = torch.optim.SGD(net.parameters(), lr=0.1)
train_iter, test_iter = BatchIter(X_train, y_train, 50, True), BatchIter(X_test, y_test, 20)
for epoch in range(30):
    train_epoch(net, train_iter, nn.CrossEntropyLoss(), updater)
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}, test acc {evaluate_accuracy(net, test_iter):.4f}")
