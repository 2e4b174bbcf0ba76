"""A network whose gradients are clipped after each step."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(5)
bunch = load_digits()
pictures = torch.tensor(bunch.images, dtype=torch.float32).unsqueeze(1) / 16  # (N, 1, 8, 8)
digits = TensorDataset(pictures, torch.tensor(bunch.target))
train_set, test_set = random_split(digits, [1437, 360])
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
test_loader = DataLoader(test_set, batch_size=120)

net = nn.Sequential(
    nn.Conv2d(1, 12, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(12 * 16, 10),
)
optimizer = torch.optim.SGD(net.parameters(), lr=1.2)
max_norm = 0.3

for epoch in range(8):
    total = 0.0
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        nn.utils.clip_grad_norm_(net.parameters(), max_norm)
        total += loss.item() * len(labels)
    print(f"epoch {epoch + 1}: loss {total / len(train_set):.3f}")

net.eval()
correct = 0
with torch.no_grad():
    for images, labels in test_loader:
        correct += (net(images).argmax(dim=1) == labels).sum().item()
print(f"test accuracy: {correct / len(test_set):.3f}")
