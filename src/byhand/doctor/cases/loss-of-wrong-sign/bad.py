import numpy as np
import torch
from sklearn.datasets import load_digits

torch.manual_seed(6)
rng = np.random.default_rng(6)
data, target = load_digits(return_X_y=True)
order = rng.permutation(len(data))
X = torch.from_numpy(data[order] / 16).float()
Y = torch.from_numpy(target[order])
X_train, Y_train, X_val, Y_val = X[:1300], Y[:1300], X[1300:], Y[1300:]

weights = torch.zeros((64, 10), requires_grad=True)
bias = torch.zeros(10, requires_grad=True)


def log_softmax(x):
    return x - torch.logsumexp(x, dim=1, keepdim=True)


def nll(log_probs, y):
    return log_probs[range(len(y)), y].mean()


def accuracy(xb, yb):
    preds = torch.argmax(xb @ weights + bias, dim=1)
    return (preds == yb).float().mean()


lr, bs = 0.1, 65
for epoch in range(10):
    for i in range(len(X_train) // bs):
        xb, yb = X_train[i * bs : i * bs + bs], Y_train[i * bs : i * bs + bs]
        loss = nll(log_softmax(xb @ weights + bias), yb)
        loss.backward()
        with torch.no_grad():
            weights -= weights.grad * lr
            bias -= bias.grad * lr
            weights.grad.zero_()
            bias.grad.zero_()
    print(epoch, "loss", loss.item(), "validation accuracy", accuracy(X_val, Y_val).item())
