"""Digits read column by column: each column becomes eight features, and a layer looks at all of them."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(14)
digits = load_digits()
order = torch.randperm(len(digits.target))
images = torch.tensor(digits.images, dtype=torch.float32)[order] / 16  # (N, 8, 8)
labels = torch.tensor(digits.target)[order]
train_images, train_labels = images[:1397], labels[:1397]
test_images, test_labels = images[1397:], labels[1397:]


class ColumnNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.column = nn.Linear(8, 16)
        self.out = nn.Linear(8 * 16, 10)

    def forward(self, x):
        features = F.relu(self.column(x.transpose(1, 2)))  # (N, 8 columns, 16)
        return self.out(features.transpose(0, 1).reshape(len(x), -1))


net = ColumnNet()
optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
for epoch in range(30):
    for batch in torch.randperm(1397).split(64):
        loss = F.cross_entropy(net(train_images[batch]), train_labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

right = 0
with torch.no_grad():
    for i in range(0, 400, 64):
        right += (net(test_images[i : i + 64]).argmax(1) == test_labels[i : i + 64]).sum().item()
print("test accuracy", right / 400)
