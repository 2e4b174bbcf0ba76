"""A wide network on few images, judged on images that were kept out of the training.

The accuracy on the training images is printed too, by the same function and under its own name.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(5)
digits = load_digits()
order = torch.randperm(1797)
X = torch.tensor(digits.data / 16, dtype=torch.float32)[order]
Y = torch.tensor(digits.target)[order]

train_data = TensorDataset(X[:200], Y[:200])
test_data = TensorDataset(X[200:], Y[200:])
train_dataloader = DataLoader(train_data, batch_size=20, shuffle=True)
test_dataloader = DataLoader(test_data, batch_size=100)

model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)


def train_loop(dataloader):
    model.train()
    for X, y in dataloader:
        loss = loss_fn(model(X), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def test_loop(dataloader, name):
    model.eval()
    correct = 0
    with torch.no_grad():
        for X, y in dataloader:
            correct += (model(X).argmax(1) == y).type(torch.float).sum().item()
    print(f"{name} accuracy: {correct / len(dataloader.dataset):.4f}")


for t in range(80):
    train_loop(train_dataloader)
    if t % 10 == 9:
        test_loop(train_dataloader, "Training")
        test_loop(test_dataloader, "Test")
