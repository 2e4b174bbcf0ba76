import torch
from torch import nn
from sklearn.datasets import load_digits

torch.manual_seed(10)
digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16
y = torch.tensor(digits.target)
perm = torch.randperm(len(x))
x, y = x[perm], y[perm]


class DeepNet(nn.Module):
    def __init__(self, width=24, depth=3):
        super().__init__()
        sizes = [64] + [width] * depth
        self.layers = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)


model = DeepNet()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()
for epoch in range(40):
    order = torch.randperm(1500)
    for rows in order.split(50):
        optimizer.zero_grad()
        loss = criterion(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    if epoch % 4 == 3:
        with torch.no_grad():
            print("Epoch", epoch + 1, "test loss", criterion(model(x[1500:]), y[1500:]).item())
