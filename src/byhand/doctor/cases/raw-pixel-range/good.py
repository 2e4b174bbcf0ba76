"""A small network on pictures that are stored as bytes and brought to 0..1."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(3)
digits = load_digits()
pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)

images = torch.from_numpy(pixels).float().flatten(1) / 255
labels = torch.from_numpy(digits.target)
train, test = torch.arange(0, 1400), torch.arange(1400, len(labels))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 32)
        self.out = nn.Linear(32, 10)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))


net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.3)

for epoch in range(30):
    for rows in train[torch.randperm(len(train))].split(50):
        optimizer.zero_grad()
        loss = criterion(net(images[rows]), labels[rows])
        loss.backward()
        optimizer.step()

with torch.no_grad():
    predicted = net(images[test]).argmax(dim=1)
print("accuracy on the test rows:", (predicted == labels[test]).double().mean().item())
