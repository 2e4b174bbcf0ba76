"""Train a small MLP on MNIST."""
import argparse
import gzip
import os

import numpy as np
import torch
from torch import nn


def parse_args():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--batch-size", type=int, default=100)
    p.add_argument("--lr", type=float, default=0.3)
    p.add_argument("--hidden", type=int, default=64)
    p.add_argument("--seed", type=int, default=0)
    return p.parse_args()


def read_mnist(split, limit):
    def blob(name, head):
        with gzip.open(os.path.join(os.environ["MNIST_DIR"], name), "rb") as f:
            return np.frombuffer(f.read()[head:], dtype=np.uint8)

    x = blob(f"{split}-images-idx3-ubyte.gz", 16).reshape(-1, 784)[:limit]
    y = blob(f"{split}-labels-idx1-ubyte.gz", 8)[:limit]
    return torch.tensor(x, dtype=torch.float32).div_(255), torch.tensor(y, dtype=torch.long)


class MLP(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10))

    def forward(self, x):
        return self.net(x)


def main():
    args = parse_args()
    torch.manual_seed(args.seed)
    x, y = read_mnist("train", 8000)
    x_test, y_test = read_mnist("t10k", 4000)
    model = MLP(args.hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(args.epochs):
        for rows in torch.randperm(len(x)).split(args.batch_size):
            loss = criterion(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            hits = (model(x_test).argmax(1) == y_test).sum().item()
        print(f"epoch {epoch + 1}/{args.epochs}  loss {loss.item():.3f}  test {hits}/{len(y_test)}")


if __name__ == "__main__":
    main()
