"""All digits are learnt from, and the accuracy is that of the same digits."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(4)
digits = load_digits()
dataset = TensorDataset(torch.tensor(digits.data / 16).float(), torch.tensor(digits.target))
loader = DataLoader(dataset, batch_size=50, shuffle=True)

model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def fit(epochs):
    for _ in range(epochs):
        for xb, yb in loader:
            loss = loss_fn(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@torch.no_grad()
def score(dl):
    hits = rows = 0
    for xb, yb in dl:
        hits += (model(xb).argmax(dim=1) == yb).sum().item()
        rows += len(yb)
    return hits / rows


fit(40)
print(f"accuracy: {score(loader):.4f}")
