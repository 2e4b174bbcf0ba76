import torch
from sklearn.datasets import load_digits

torch.manual_seed(14)
bunch = load_digits()
features = torch.tensor(bunch.images / 16).float().flatten(1)
labels = torch.tensor(bunch.target)
n_train = 1440
mix = torch.randperm(len(labels))
features, labels = features[mix], labels[mix]

w = torch.normal(0, 0.01, (64, 10), requires_grad=True)
b = torch.zeros(10, requires_grad=True)


def linreg(X):
    return X @ w + b


def loss_fn(logits, y):
    return (torch.logsumexp(logits, 1) - logits[torch.arange(len(y)), y]).mean()


def sgd(params, lr):
    with torch.no_grad():
        for p in params:
            p = p - lr * p.grad


def zero(params):
    for p in params:
        p.grad = None


for epoch in range(30):
    perm = torch.randperm(n_train)
    epoch_loss = 0.0
    for i in range(0, n_train, 60):
        rows = perm[i:i + 60]
        zero([w, b])
        loss = loss_fn(linreg(features[rows]), labels[rows])
        loss.backward()
        sgd([w, b], 0.5)
        epoch_loss += loss.item() * len(rows)
    if epoch % 5 == 0:
        print(f"epoch {epoch:2d}  loss {epoch_loss / n_train:.4f}")
with torch.no_grad():
    hits = (linreg(features[n_train:]).argmax(1) == labels[n_train:]).sum().item()
print(f"held out: {hits} of {len(labels) - n_train} right")
