"""A network with dropout that is judged as it is trained."""

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(12)
digits = load_digits()
dataset = TensorDataset(torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target))
train_set, valid_set = random_split(dataset, [1397, 400])
train_loader = DataLoader(train_set, batch_size=100, shuffle=True)
valid_loader = DataLoader(valid_set, batch_size=128)


class DropoutNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.l1 = nn.Linear(64, 24)
        self.l2 = nn.Linear(24, 10)

    def forward(self, x):
        return self.l2(self.drop(self.l1(x).relu()))


model = DropoutNet()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
loss_func = nn.CrossEntropyLoss()


def validate():
    hits = 0
    with torch.no_grad():
        for xb, yb in valid_loader:
            hits += (model(xb).argmax(dim=1) == yb).sum().item()
    return hits / len(valid_set)


for epoch in range(30):
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss_func(model(xb), yb).backward()
        optimizer.step()
    print(f"epoch {epoch}: validation accuracy {validate():.4f}")
