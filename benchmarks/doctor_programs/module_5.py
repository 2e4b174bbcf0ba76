import torch
from torch import nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(33)


class BatchNormMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(),
            nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(),
            nn.Linear(64, 10),
        )

    def forward(self, x):
        return self.net(x)


d = load_digits()
full = TensorDataset(torch.tensor(d.data / 16).float(), torch.tensor(d.target).long())
train_set, test_set = random_split(full, [1471, 326])
train_dl = DataLoader(train_set, batch_size=64, shuffle=True)
test_dl = DataLoader(test_set, batch_size=9)

model = BatchNormMLP()
opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
lossf = nn.CrossEntropyLoss()

for epoch in range(12):
    model.train()
    for x, y in train_dl:
        loss = lossf(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()

accs = []
with torch.no_grad():
    for x, y in test_dl:
        pred = model(x).argmax(dim=-1)
        accs.append((pred == y).float().mean().item())
print("test accuracy:", sum(accs) / len(accs))
