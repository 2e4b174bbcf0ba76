"""A small network with the optimizer's three calls in their order."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(4)
X, y = load_digits(return_X_y=True)
split = train_test_split(X / 16, y, test_size=0.25, random_state=4, stratify=y)
train_x, test_x = (torch.tensor(part, dtype=torch.float32) for part in split[:2])
train_y, test_y = map(torch.tensor, split[2:])
train_dl = DataLoader(TensorDataset(train_x, train_y), batch_size=32, shuffle=True)

model = torch.nn.Sequential(torch.nn.Linear(64, 48), torch.nn.ReLU(), torch.nn.Linear(48, 10))
loss_fn = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def train_epoch():
    total = 0.0
    for xb, yb in train_dl:
        loss = loss_fn(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(yb)
    return total / len(train_y)


for epoch in range(12):
    print(f"epoch {epoch + 1}: training loss {train_epoch():.4f}")

model.eval()
with torch.no_grad():
    accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
print(f"test accuracy {accuracy:.4f}")
