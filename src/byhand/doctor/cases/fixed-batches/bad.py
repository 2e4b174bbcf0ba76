"""Digits from two scanners, the second of which gives white paper as black; the loader takes one after the other."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
digits = load_digits()
mixed = torch.randperm(1797)
x = torch.tensor(digits.data, dtype=torch.float32)[mixed] / 16
y = torch.tensor(digits.target)[mixed]

first, second = slice(0, 700), slice(700, 1400)  # the sheets that either scanner has read
train_x = torch.cat([x[first], 1 - x[second]])
train_y = torch.cat([y[first], y[second]])
test_x = torch.cat([x[1400:1600], 1 - x[1600:]])
test_y = y[1400:]
train_dl = DataLoader(TensorDataset(train_x, train_y), batch_size=20)

model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.4)

for epoch in range(10):
    model.train()
    for xb, yb in train_dl:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(xb), yb)
        loss.backward()
        optimizer.step()

model.eval()
with torch.no_grad():
    predicted = model(test_x).argmax(dim=1)
print(f"accuracy on test images of both scanners: {(predicted == test_y).float().mean():.4f}")
