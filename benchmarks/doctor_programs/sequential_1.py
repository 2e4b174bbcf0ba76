import gzip, os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

D = os.environ["MNIST_DIR"] + "/"

def load(kind, n):
    x = np.frombuffer(gzip.open(D + kind + "-images-idx3-ubyte.gz").read(), np.uint8, offset=16)
    y = np.frombuffer(gzip.open(D + kind + "-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)
    x = torch.tensor(x.reshape(-1, 784)[:n]).float().div(255)
    return TensorDataset(x, torch.tensor(y[:n]).long())

train_dl = DataLoader(load("train", 8000), batch_size=100, shuffle=True)
test_dl = DataLoader(load("t10k", 5000), batch_size=300)

model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10), nn.LogSoftmax(dim=1))
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.SGD(model.parameters(), lr=0.5)

for epoch in range(25):
    for xb, yb in train_dl:
        loss = loss_fn(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()

    model.eval()
    hits, total, loss_sum = 0, 0, 0.0
    with torch.no_grad():
        for xb, yb in test_dl:
            out = model(xb)
            loss_sum += loss_fn(out, yb).item() * len(yb)
            hits += (out.argmax(1) == yb).sum().item()
            total += len(yb)
    model.train()
    print(epoch, "test loss", round(loss_sum / total, 4), "test acc", hits / total)
