"""A small convolutional network of two parts, on the digits."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(5)
images, targets = load_digits(return_X_y=True)
images = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 16
targets = torch.tensor(targets)
order = torch.randperm(len(targets))
train, test = order[:1300], order[1300:]
loader = DataLoader(TensorDataset(images[train], targets[train]), batch_size=50, shuffle=True)
test_loader = DataLoader(TensorDataset(images[test], targets[test]), batch_size=100)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.head = nn.Sequential(nn.Linear(72, 32), nn.ReLU(), nn.Dropout(0.6), nn.Linear(32, 10))

    def forward(self, x):
        x = self.features(x)
        return self.head(x)


def evaluate(model):
    model.eval()
    right = 0
    with torch.no_grad():
        for xb, yb in test_loader:
            right += (model(xb).argmax(dim=1) == yb).sum().item()
    return right / len(test)


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()
for epoch in range(12):
    net.train()
    for xb, yb in loader:
        optimizer.zero_grad()
        criterion(net(xb), yb).backward()
        optimizer.step()
    print(f"epoch {epoch}: test accuracy {evaluate(net):.3f}")
