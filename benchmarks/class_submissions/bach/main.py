import os
from pathlib import Path

import numpy as np
import torch


def read(name):
    raw = (Path(os.environ["BYHAND_DATA"]) / name).read_bytes()
    shape = np.frombuffer(raw, ">i4", raw[3], 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


train_x, train_y = read("train-images-idx3-ubyte"), read("train-labels-idx1-ubyte")
test_x, test_y = read("t10k-images-idx3-ubyte"), read("t10k-labels-idx1-ubyte")

torch.manual_seed(0)
x = torch.tensor(train_x.reshape(len(train_x), -1) / train_x.max(), dtype=torch.float32)
y = torch.tensor(train_y.astype(int))
test = torch.tensor(test_x.reshape(len(test_x), -1) / train_x.max(), dtype=torch.float32)
truth = torch.tensor(test_y.astype(int))

from torch import nn
from torch.utils.data import DataLoader, TensorDataset

model = nn.Sequential(nn.Linear(x.shape[1], 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
train_dl = DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True)
test_dl = DataLoader(TensorDataset(test, truth), batch_size=100)
for epoch in range(30):
    model.train()
    for xb, yb in train_dl:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(xb), yb)
        loss.backward()
        optimizer.step()
    model.eval()
    right = 0
    with torch.no_grad():
        for xb, yb in test_dl:
            right += (model(xb).argmax(1) == yb).sum().item()
    print(f"epoch {epoch}: {right / len(test):.4f}")
