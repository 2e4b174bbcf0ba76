import numpy as np
import torch
from sklearn.datasets import load_digits

torch.manual_seed(0)
X, y = load_digits(return_X_y=True)
perm = np.random.RandomState(0).permutation(len(X))
X = torch.tensor(X[perm] / 16, dtype=torch.float32)
y = torch.tensor(y[perm])
X_train, X_test, y_train, y_test = X[:1500], X[1500:], y[:1500], y[1500:]

W1 = (torch.randn(64, 32) / 8).requires_grad_()
b1 = torch.zeros(32, requires_grad=True)
W2 = (torch.randn(32, 10) / 6).requires_grad_()
b2 = torch.zeros(10, requires_grad=True)
optimizer = torch.optim.SGD([W1, b1, W2, b2], lr=0.3)
criterion = torch.nn.CrossEntropyLoss()


def net(x):
    return torch.sigmoid(x @ W1 + b1) @ W2 + b2


for epoch in range(15):
    losses = []
    for i in range(0, 1500, 50):
        y_hat = net(X_train[i:i + 50])
        loss = criterion(y_hat, y_train[i:i + 50])
        optimizer.zero_grad()
        optimizer.step()
        loss.backward()
        losses.append(loss.item())
    print("epoch", epoch, "loss", np.mean(losses))

with torch.no_grad():
    print("accuracy", (net(X_test).argmax(1) == y_test).float().mean().item())
