import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset


class ShuffledDigits(Dataset):
    def __init__(self, images, labels, seed):
        self.images = images.astype(np.float32) / 16
        self.labels = labels
        self.order = np.random.default_rng(seed).permutation(len(labels))

    def __len__(self):
        return len(self.order)

    def __getitem__(self, i):
        image = torch.from_numpy(self.images[self.order[i]])
        return image, self.labels[i]


def evaluate(model, loader, loss_fn):
    model.eval()
    total_loss, correct = 0.0, 0
    with torch.no_grad():
        for images, labels in loader:
            out = model(images)
            total_loss += loss_fn(out, labels).item()
            correct += (out.argmax(1) == labels).sum().item()
    n = len(loader.dataset)
    return total_loss / n, correct / n


def main():
    torch.manual_seed(100)
    digits = load_digits()
    images = digits.images.reshape(-1, 64)
    # last 360 rows are for the test
    train_ds = ShuffledDigits(images[:-360], digits.target[:-360], seed=1)
    test_ds = ShuffledDigits(images[-360:], digits.target[-360:], seed=2)
    train_dl = DataLoader(train_ds, batch_size=32, shuffle=True)
    test_dl = DataLoader(test_ds, batch_size=60)
    model = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10))
    loss_fn = nn.CrossEntropyLoss()
    opt = torch.optim.SGD(model.parameters(), lr=0.2)
    for epoch in range(30):
        model.train()
        for images, labels in train_dl:
            opt.zero_grad()
            loss_fn(model(images), labels).backward()
            opt.step()
    loss, acc = evaluate(model, test_dl, loss_fn)
    print(f"Test loss: {loss:.4f}, test accuracy: {acc:.4f}")


if __name__ == "__main__":
    main()
