import gzip
import logging
import os

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.INFO)
logger = logging.getLogger(__name__)


def load(split: str, limit: int) -> TensorDataset:
    root = os.environ["MNIST_DIR"]
    with gzip.open(f"{root}/{split}-images-idx3-ubyte.gz") as f:
        images = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)[:limit]
    with gzip.open(f"{root}/{split}-labels-idx1-ubyte.gz") as f:
        labels = np.frombuffer(f.read(), np.uint8, offset=8)[:limit]
    return TensorDataset(torch.tensor(images / 255, dtype=torch.float32), torch.tensor(labels, dtype=torch.long))


def make_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, stride=2), nn.ReLU(),
        nn.Conv2d(6, 12, kernel_size=3, stride=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(12 * 5 * 5, 10),
    )


def train(model: nn.Module, loader: DataLoader, optimizer: torch.optim.Optimizer) -> float:
    model.train()
    loss_sum = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step
        loss_sum += loss.item() * len(labels)
    return loss_sum / len(loader.dataset)


def evaluate(model: nn.Module, loader: DataLoader) -> float:
    model.eval()
    with torch.no_grad():
        correct = sum(int((model(images).argmax(1) == labels).sum()) for images, labels in loader)
    return correct / len(loader.dataset)


torch.manual_seed(13)
train_loader = DataLoader(load("train", 5000), batch_size=50, shuffle=True)
test_loader = DataLoader(load("t10k", 2000), batch_size=200)
model = make_cnn()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(6):
    train_loss = train(model, train_loader, optimizer)
    logger.info("epoch %d train loss %.4f test accuracy %.4f", epoch, train_loss, evaluate(model, test_loader))
