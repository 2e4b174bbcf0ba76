"""The more layers, the better? Seven of them, on the digits."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(31)
digits = load_digits()
mixed = torch.randperm(len(digits.target))
features = torch.tensor(digits.data, dtype=torch.float32)[mixed] / 16
targets = torch.tensor(digits.target)[mixed]
train_loader = DataLoader(TensorDataset(features[:1400], targets[:1400]), batch_size=10, shuffle=True)
valid_loader = DataLoader(TensorDataset(features[1400:], targets[1400:]), batch_size=100)


def make_model(width=48, depth=5):
    layers = [nn.Linear(64, width), nn.Sigmoid()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.Sigmoid()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


model = make_model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(28):
    total = 0.0
    for xb, yb in train_loader:
        loss = loss_fn(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(yb)
    with torch.no_grad():
        right = sum((model(xb).argmax(1) == yb).sum().item() for xb, yb in valid_loader)
    print(f"{epoch:2d}  loss {total / 1400:.3f}  valid {right / 397:.3f}")
