"""A first classifier by hand, with three bugs that no error message tells of.

It is a beginner's program, retold: read the images class after class, one matrix product, cross-entropy, SGD, and the
accuracy on other images after each epoch. It runs, its accuracy rises, and it stops at about 65 % on MNIST, where a
linear model reaches 92.6 %. Nothing here is put right; the comments say where to look.

    python examples/first_attempt.py [--data SOURCE] [--epochs 20]

Measured on MNIST, 20 epochs, its one seed: it prints 0.646, and its weights are right on 0.690 of the same images.
"""

import argparse

import torch
from torch.utils.data import DataLoader

import byhand

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="a name, file or folder that byhand reads; MNIST where it is found, else digits")
parser.add_argument("--epochs", type=int, default=20)
args = parser.parse_args()

torch.manual_seed(42)
data = byhand.load(args.data, valid=0)
classes = range(len(data.classes))


def read(part):
    """All images of the first class, then all of the second, as from one folder after another."""
    groups = [torch.from_numpy(part.images[part.labels == c]).float() / 255 for c in classes]
    x = torch.cat(groups).flatten(1)  # (N, P)
    y = torch.tensor([c for c in classes for _ in groups[c]]).unsqueeze(1)  # (N, 1)
    return x, y


train_x, train_y = read(data.train)
valid_x, valid_y = read(data.test)  # as its author did; byhand itself keeps the test part closed until `evaluate`

# Bug 1. The rows stand sorted by class, and a DataLoader does not shuffle unless told: for a tenth of each epoch the
# model sees nothing but one class, and forgets the others.
train_dl = DataLoader(list(zip(train_x, train_y, strict=True)), batch_size=256)
valid_dl = DataLoader(list(zip(valid_x, valid_y, strict=True)), batch_size=256)


def init_params(size, std=1.0):
    # Bug 2. With 784 inputs, weights of this size start the scores at ± 9: sure of itself, and wrong, on most rows.
    return (torch.randn(size) * std).requires_grad_()


weights = init_params((train_x.shape[1], len(classes)))
bias = init_params(len(classes))


def model(xb):
    return xb @ weights + bias  # (B, C)


def loss_func(logits, yb):
    return torch.nn.functional.cross_entropy(logits, yb.squeeze(1))


def batch_accuracy(logits, yb):
    preds = logits.softmax(dim=1).argmax(dim=1)
    # Bug 3. preds is (B,) and yb is (B, 1): the comparison is (B, B), every prediction against every label.
    return (preds == yb).float().mean()


def train_epoch(lr):
    for xb, yb in train_dl:
        loss_func(model(xb), yb).backward()
        for p in (weights, bias):
            p.data -= lr * p.grad
            p.grad.zero_()


def validate_epoch():
    return torch.stack([batch_accuracy(model(xb), yb) for xb, yb in valid_dl]).mean().item()


for _ in range(args.epochs):
    train_epoch(0.1)
    print(f"{validate_epoch():.4f}")
