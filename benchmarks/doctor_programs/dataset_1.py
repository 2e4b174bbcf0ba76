import gzip
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class MnistRows(Dataset):
    def __init__(self, folder, train, n, mean=None, std=None):
        part = "train" if train else "t10k"
        with gzip.open(Path(folder) / f"{part}-images-idx3-ubyte.gz") as f:
            self.images = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 28, 28)[:n]
        with gzip.open(Path(folder) / f"{part}-labels-idx1-ubyte.gz") as f:
            self.labels = np.frombuffer(f.read(), np.uint8, offset=8)[:n]
        self.mean = self.images.mean() if mean is None else mean
        self.std = self.images.std() if std is None else std

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        image = torch.tensor((self.images[i] - self.mean) / self.std, dtype=torch.float32)
        return image, int(self.labels[i])


def main():
    torch.manual_seed(21)
    train_set = MnistRows(os.environ["MNIST_DIR"], True, 6000)
    test_set = MnistRows(os.environ["MNIST_DIR"], False, 2000, train_set.mean, train_set.std)
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=256, shuffle=False)

    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss_function = nn.CrossEntropyLoss()
    for epoch in range(1, 13):
        model.train()
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss_function(model(images), labels).backward()
            optimizer.step()
        model.eval()
        correct = 0
        with torch.no_grad():
            for images, labels in test_loader:
                correct += (model(images).argmax(1) == labels).sum().item()
        print(f"Epoch {epoch}: {100 * correct / len(test_set):.2f}% on the test set")


if __name__ == "__main__":
    main()
