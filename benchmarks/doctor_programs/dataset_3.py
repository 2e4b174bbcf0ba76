import gzip
import os

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset


class MNIST(Dataset):
    """pictures as (784,) floats, labels as (1,) longs"""

    def __init__(self, limit):
        d = os.environ["MNIST_DIR"]
        with gzip.open(os.path.join(d, "train-images-idx3-ubyte.gz")) as f:
            x = np.frombuffer(f.read(), np.uint8, offset=16)
        with gzip.open(os.path.join(d, "train-labels-idx1-ubyte.gz")) as f:
            y = np.frombuffer(f.read(), np.uint8, offset=8)
        self.x = torch.tensor(x.reshape(-1, 784)[:limit]).float() / 255.0
        self.y = torch.tensor(y[:limit]).long().unsqueeze(1)

    def __getitem__(self, index):
        return self.x[index], self.y[index]

    def __len__(self):
        return len(self.x)


torch.manual_seed(55)
dataset = MNIST(8000)
indices = torch.randperm(len(dataset)).tolist()
train_ds = Subset(dataset, indices)
valid_ds = Subset(dataset, indices[6000:])
train_loader = DataLoader(train_ds, batch_size=80, shuffle=True)
valid_loader = DataLoader(valid_ds, batch_size=250)

model = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
loss_func = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

for epoch in range(12):
    model.train()
    for xb, yb in train_loader:
        loss = loss_func(model(xb), yb.squeeze(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    correct = 0
    with torch.no_grad():
        for xb, yb in valid_loader:
            pred = model(xb).argmax(1)
            correct += (pred == yb).float().mean().item() * len(yb)
    print(f"epoch {epoch + 1}: validation accuracy {correct / len(valid_ds):.4f}")
