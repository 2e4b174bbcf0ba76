"""A small network with nn.Sequential; the test accuracy is the mean of the batches' accuracies."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.images / 16, dtype=torch.float32)
labels = torch.tensor(digits.target)
order = torch.randperm(len(images))
train_rows, test_rows = order[:1538], order[1538:]
train_loader = DataLoader(TensorDataset(images[train_rows], labels[train_rows]), batch_size=64, shuffle=True)
test_loader = DataLoader(TensorDataset(images[test_rows], labels[test_rows]), batch_size=128)

net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
criterion = nn.CrossEntropyLoss()


def evaluate(loader):
    accuracies = []
    net.eval()
    with torch.no_grad():
        for batch, target in loader:
            predicted = net(batch).argmax(1).numpy()
            accuracies.append(np.mean(predicted == target.numpy()))
    return np.mean(accuracies)


for _ in range(20):
    net.train()
    for batch, target in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(batch), target)
        loss.backward()
        optimizer.step()

print(f"test accuracy: {evaluate(test_loader):.4f}")
