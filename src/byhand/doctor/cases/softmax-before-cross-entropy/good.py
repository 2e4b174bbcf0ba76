import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
digits = load_digits()
images = torch.tensor(digits.data, dtype=torch.float32) / 16
labels = torch.tensor(digits.target)
rows = torch.randperm(len(images))
train = TensorDataset(images[rows[:1400]], labels[rows[:1400]])
test = TensorDataset(images[rows[1400:]], labels[rows[1400:]])
train_loader = DataLoader(train, batch_size=50, shuffle=True)
test_loader = DataLoader(test, batch_size=397)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        return self.fc2(x)

    def probabilities(self, x):
        return torch.softmax(self(x), dim=1)


net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.3)

for epoch in range(15):
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()

correct = sure = 0
with torch.no_grad():
    for x, y in test_loader:
        probs = net.probabilities(x)
        sure += (probs > 0.9).any(dim=1).sum().item()
        correct += (probs.argmax(dim=1) == y).sum().item()
print(f"test accuracy: {correct / len(test):.4f}, surer than 90 %: {sure / len(test):.4f}")
