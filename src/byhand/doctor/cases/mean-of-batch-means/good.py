"""A small network with nn.Sequential; hits are counted over all rows.

The mean of batches is taken twice on purpose: over batches of one size, where it is exact, and of the training losses,
which is a running figure and no evaluation.
"""

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
train_rows, valid_rows, test_rows = order[:1282], order[1282:1538], order[1538:]
train_loader = DataLoader(TensorDataset(images[train_rows], labels[train_rows]), batch_size=64, shuffle=True)
valid_loader = DataLoader(TensorDataset(images[valid_rows], labels[valid_rows]), batch_size=128)
test_loader = DataLoader(TensorDataset(images[test_rows], labels[test_rows]), batch_size=128)

net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
criterion = nn.CrossEntropyLoss()


def hits(loader):
    net.eval()
    with torch.no_grad():
        return [np.sum(net(batch).argmax(1).numpy() == target.numpy()) for batch, target in loader]


for _ in range(20):
    net.train()
    losses = []
    for batch, target in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(batch), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    valid_accuracy = np.mean([right / 128 for right in hits(valid_loader)])
    print(f"running loss {np.mean(losses):.4f}, validation accuracy {valid_accuracy:.4f}")

print(f"test accuracy: {sum(hits(test_loader)) / len(test_rows):.4f}")
