"""Is a digit even? The even ones look as little alike as the odd ones."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(4)
digits = load_digits()
pixels = torch.tensor(digits.data, dtype=torch.float32) / 16
even = torch.tensor(digits.target % 2 == 0).long()
train_set, test_set = random_split(TensorDataset(pixels, even), [1347, 450])
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
test_loader = DataLoader(test_set, batch_size=150)


class EvenOrOdd(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 100)
        self.out = nn.Linear(100, 2)

    def forward(self, x):
        h = self.hidden(x)
        return self.out(h)


model = EvenOrOdd()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(25):
    for xb, yb in train_loader:
        loss = loss_fn(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

right = 0
with torch.no_grad():
    for xb, yb in test_loader:
        right += (model(xb).argmax(1) == yb).sum().item()
print(f"accuracy on the test set: {right / len(test_set):.3f}")
