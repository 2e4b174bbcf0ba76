"""A deep network with batch norm that is looked at before it is trained, and after every epoch."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(3)
digits = load_digits()
mixed = np.random.default_rng(3).permutation(len(digits.target))
x = torch.tensor(digits.images[mixed], dtype=torch.float32).flatten(1) / 16
y = torch.tensor(digits.target[mixed])
train_x, train_y, valid_x, valid_y = x[:1400], y[:1400], x[1400:], y[1400:]


def block(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.Sigmoid())


model = nn.Sequential(block(64, 50), block(50, 50), block(50, 50), nn.Linear(50, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
loss_function = nn.CrossEntropyLoss()


def accuracy():
    with torch.no_grad():
        return (model(valid_x).argmax(1) == valid_y).float().mean().item()


model.eval()
print(f"before the training: {accuracy():.3f}")
for epoch in range(15):
    model.train()
    for i in range(0, len(train_x), 50):
        loss = loss_function(model(train_x[i : i + 50]), train_y[i : i + 50])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    print(f"epoch {epoch}: {accuracy():.3f}")
