import argparse
import gzip
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, stride=2)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2)
        self.drop = nn.Dropout(0.25)
        self.fc = nn.Linear(16 * 5 * 5, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        return F.log_softmax(self.fc(self.drop(x.flatten(1))), dim=1)


def get_data(folder, split, limit):
    def raw(kind, offset):
        with gzip.open(os.path.join(folder, f"{split}-{kind}-ubyte.gz")) as f:
            return np.frombuffer(f.read(), dtype=np.uint8, offset=offset)

    x = raw("images-idx3", 16).reshape(-1, 1, 28, 28)[:limit].astype(np.float32)
    x = (x / 255 - 0.1307) / 0.3081
    y = raw("labels-idx1", 8)[:limit].astype(np.int64)
    return TensorDataset(torch.from_numpy(x), torch.from_numpy(y))


def train(model, loader, optimizer):
    model.train()
    for data, target in loader:
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()


def test(model, loader):
    model.eval()
    loss, correct = 0, 0
    with torch.no_grad():
        for data, target in loader:
            output = model(data)
            loss += F.nll_loss(output, target, reduction="sum").item()
            correct += output.argmax(dim=1, keepdim=True).eq(target.view(-1, 1)).sum().item()
    n = len(loader.dataset)
    print(f"Test set: average loss {loss / n:.4f}, accuracy {correct}/{n} ({100 * correct / n:.1f}%)")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--batch-size", type=int, default=84)
    parser.add_argument("--data", default=os.environ.get("MNIST_DIR", "."))
    args = parser.parse_args()
    torch.manual_seed(1)
    train_loader = DataLoader(get_data(args.data, "train", 6000), args.batch_size, shuffle=True)
    test_loader = DataLoader(get_data(args.data, "t10k", 2000), 500)
    model = ConvNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    for _ in range(args.epochs):
        train(model, train_loader, optimizer)
        test(model, test_loader)


if __name__ == "__main__":
    main()
