import argparse
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset


class MLP(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))

    def forward(self, x):
        return self.net(x)


def get_loaders(batch_size):
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32) / 16
    labels = torch.tensor(digits.target)
    idx = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))
    train = TensorDataset(images[idx[:1400]], labels[idx[:1400]])
    test = TensorDataset(images[idx[1400:]], labels[idx[1400:]])
    return DataLoader(train, batch_size, shuffle=True), DataLoader(test, 200)


def train_one_epoch(model, loader, criterion, optimizer, scheduler):
    model.train()
    total, count = 0.0, 0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        total += loss.item() * y.size(0)
        count += y.size(0)
    return total / count


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    good = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
    return good / len(loader.dataset)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--gamma", type=float, default=0.9)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)

    train_loader, test_loader = get_loaders(args.batch_size)
    model = MLP(args.hidden)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.5)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=args.gamma)
    for epoch in range(args.epochs):
        loss = train_one_epoch(model, train_loader, nn.CrossEntropyLoss(), optimizer, scheduler)
        if epoch % 5 == 0:
            print(f"epoch {epoch}: train loss {loss:.4f}, test accuracy {evaluate(model, test_loader):.4f}")
    print(f"final test accuracy {evaluate(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
