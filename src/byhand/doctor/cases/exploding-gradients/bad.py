"""Thirteen layers and a start of one's own."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(4)
digits = load_digits()
mixed = torch.randperm(len(digits.target))
pixels = torch.tensor(digits.data, dtype=torch.float32)[mixed] / 16
labels = torch.tensor(digits.target)[mixed]
train_x, train_y = pixels[:1400], labels[:1400]
test_x, test_y = pixels[1400:], labels[1400:]


class Deep(nn.Module):
    def __init__(self, width=64, depth=12):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(64, width) for _ in range(depth)])
        self.out = nn.Linear(width, 10)
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=0.245)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.out(x)


model = Deep()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(30):
    for batch in torch.randperm(1400).split(28):
        loss = loss_fn(model(train_x[batch]), train_y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        with torch.no_grad():
            accuracy = (model(test_x).argmax(dim=1) == test_y).float().mean().item()
        print(f"epoch {epoch + 1:2d}  loss {loss.item():.3f}  test accuracy {accuracy:.3f}")
