"""An own Dataset and a convolution; the accuracy is overwritten in each round of the loop and printed after it."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    def __init__(self, start, end):
        bunch = load_digits()
        self.images = torch.tensor(bunch.images[start:end], dtype=torch.float32) / 16
        self.labels = torch.tensor(bunch.target[start:end])

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.images[index].unsqueeze(0), self.labels[index]


torch.manual_seed(3)
train_loader = DataLoader(Digits(0, 1497), batch_size=32, shuffle=True)
test_loader = DataLoader(Digits(1497, 1797), batch_size=64)

model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 10))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(6):
    model.train()
    for images, labels in train_loader:
        loss = loss_fn(model(images), labels)
        opt.zero_grad()
        loss.backward()
        opt.step()

    model.eval()
    with torch.no_grad():
        for images, labels in test_loader:
            output = model(images)
            _, predicted = torch.max(output, 1)
            accuracy = 100 * (predicted == labels).sum().item() / labels.size(0)
    print(f"epoch {epoch + 1}, loss {loss.item():.4f}, test accuracy {accuracy:.2f}%")
