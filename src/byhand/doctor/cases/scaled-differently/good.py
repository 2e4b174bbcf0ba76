"""Digits in a data set of one's own: both parts are scaled when they are made."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(4)


class Digits(Dataset):
    def __init__(self, train):
        digits = load_digits()
        part = slice(0, 1300) if train else slice(1300, None)
        self.images = torch.tensor(digits.images[part], dtype=torch.float32)
        self.labels = torch.tensor(digits.target[part])
        self.images = (self.images - 8) / 8

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.images[index].reshape(-1), self.labels[index]


trainloader = DataLoader(Digits(train=True), batch_size=64, shuffle=True)
testloader = DataLoader(Digits(train=False), batch_size=64)
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

for epoch in range(20):
    for x, y in trainloader:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

hits = total = 0
with torch.no_grad():
    for x, y in testloader:
        hits += (model(x).argmax(1) == y).sum().item()
        total += len(y)
print(f"{hits}/{total} test images right")
