"""Digits read class after class, and mixed before each epoch; the test rows may stay in order."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

torch.manual_seed(0)
digits = load_digits()
train_x, test_x, train_y, test_y = train_test_split(
    digits.data / 16, digits.target, test_size=360, random_state=0, stratify=digits.target
)


def folder(x, y, digit):
    own = y == digit
    return TensorDataset(torch.tensor(x[own], dtype=torch.float32), torch.tensor(y[own]))


train_set = ConcatDataset([folder(train_x, train_y, digit) for digit in range(10)])
test_set = ConcatDataset([folder(test_x, test_y, digit) for digit in range(10)])
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
test_loader = DataLoader(test_set, batch_size=60)

model = nn.Sequential(nn.Linear(64, 10))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

for epoch in range(20):
    for x, y in train_loader:
        optimizer.zero_grad()
        loss_fn(model(x), y).backward()
        optimizer.step()

correct = 0
with torch.no_grad():
    for x, y in test_loader:
        correct += (model(x).argmax(dim=1) == y).sum().item()
print(f"test accuracy {correct / len(test_set):.4f}")
