"""A classifier whose author was in no hurry: Adam at its usual rate."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.001)
parser.add_argument("--epochs", type=int, default=40)
args = parser.parse_args()

torch.manual_seed(8)
digits = load_digits()
x = torch.tensor(digits.data / 16.0).float()
y = torch.tensor(digits.target)
train_x, train_y, test_x, test_y = x[:1400], y[:1400], x[1400:], y[1400:]

model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(args.epochs):
    for rows in torch.randperm(len(train_x)).split(50):
        optimizer.zero_grad()
        loss = loss_fn(model(train_x[rows]), train_y[rows])
        loss.backward()
        optimizer.step()

model.eval()
with torch.no_grad():
    test_acc = (model(test_x).argmax(dim=1) == test_y).float().mean()
print(f"{test_acc:.2%}")
