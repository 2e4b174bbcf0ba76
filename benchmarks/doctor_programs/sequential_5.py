import torch
from torch import nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(19)
X, y = load_digits(return_X_y=True)
X = torch.tensor(X / 16.0, dtype=torch.float32)
y = torch.tensor(y, dtype=torch.int64)
perm = torch.randperm(len(y))
X, y = X[perm], y[perm]
n = 1400


def balanced_loss(logits, target):
    """every class of the batch counts the same"""
    counts = torch.bincount(target, minlength=10)
    w = 1 / counts
    w = 10 * w / w.sum()
    return F.cross_entropy(logits, target, weight=w)


model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
opt = torch.optim.SGD(model.parameters(), lr=0.3)
for epoch in range(40):
    for i in range(0, n, 28):
        loss = balanced_loss(model(X[i:i + 28]), y[i:i + 28])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 10 == 9:
        print("epoch", epoch + 1, "loss", loss.item())

predictions = model(X[n:]).argmax(dim=1)
print("held-out accuracy:", (predictions == y[n:]).float().mean().item())
