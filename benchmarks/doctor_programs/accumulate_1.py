import gzip
import logging
import os

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
log = logging.getLogger("mnist")

ACCUMULATE = 4


def dataset(split, n):
    root = os.environ["MNIST_DIR"]
    img = gzip.open(f"{root}/{split}-images-idx3-ubyte.gz").read()
    lab = gzip.open(f"{root}/{split}-labels-idx1-ubyte.gz").read()
    x = np.frombuffer(img, np.uint8, offset=16).reshape(-1, 784)[:n].astype(np.float32) / 255.0
    y = np.frombuffer(lab, np.uint8, offset=8)[:n].astype(np.int64)
    return TensorDataset(torch.from_numpy(x), torch.from_numpy(y))


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(784, 64), nn.Linear(64, 10)])

    def forward(self, x):
        return self.layers[1](self.layers[0](x).relu())


torch.manual_seed(4)
train = DataLoader(dataset("train", 8000), batch_size=20, shuffle=True)
test = DataLoader(dataset("t10k", 4000), batch_size=500)
model = MLP()
opt = torch.optim.SGD(model.parameters(), lr=0.5)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(20):
    opt.zero_grad()
    for step, (x, y) in enumerate(train, start=1):
        loss = loss_fn(model(x), y) / ACCUMULATE
        loss.backward()
        if step % ACCUMULATE == 0:
            opt.step()
            opt.zero_grad()
    with torch.no_grad():
        correct = sum((model(x).argmax(1) == y).sum().item() for x, y in test)
    log.info("epoch %d: test accuracy %.4f", epoch, correct / len(test.dataset))
