import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
data, labels = load_digits(return_X_y=True)
data = torch.tensor(data / 16, dtype=torch.float32)
labels = torch.tensor(labels)
one_hot = F.one_hot(labels, 10).float()
chosen = torch.randperm(len(data))
train, test = chosen[:1440], chosen[1440:]

loader = DataLoader(TensorDataset(data[train], one_hot[train]), batch_size=60, shuffle=True)
model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

for epoch in range(20):
    model.train()
    for inputs, targets in loader:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(targets, outputs)
        loss.backward()
        optimizer.step()

model.eval()
with torch.no_grad():
    predicted = model(data[test]).argmax(dim=1)
print(f"accuracy: {(predicted == labels[test]).float().mean():.3f}")
