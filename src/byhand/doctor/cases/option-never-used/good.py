"""Train a small network on digits: python train.py --lr 0.1 --epochs 20"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, default=0.2, help="learning rate")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=50)
    return parser.parse_args()


def load(seed=0):
    digits = load_digits()
    order = torch.randperm(len(digits.target), generator=torch.Generator().manual_seed(seed))
    x = torch.tensor(digits.data, dtype=torch.float32)[order] / 16
    y = torch.tensor(digits.target)[order]
    return x[:1437], y[:1437], x[1437:], y[1437:]


def train(model, x, y, args):
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr)
    for _ in range(args.epochs):
        for rows in torch.randperm(len(y)).split(args.batch_size):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


if __name__ == "__main__":
    args = parse_args()
    torch.manual_seed(1)
    train_x, train_y, test_x, test_y = load()
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    train(model, train_x, train_y, args)
    with torch.no_grad():
        right = (model(test_x).argmax(1) == test_y).sum().item()
    print(f"test accuracy {right / len(test_y):.3f}")
