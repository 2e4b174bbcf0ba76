import torch
from torch import nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(0)

digits = load_digits()
X = (digits.data / 16.0).astype("float32")
X_train, X_test, y_train, y_test = train_test_split(X, digits.target, test_size=0.2, random_state=3)
X_train, X_test = torch.from_numpy(X_train), torch.from_numpy(X_test)
y_train, y_test = torch.from_numpy(y_train), torch.from_numpy(y_test)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 48)
        self.fc2 = nn.Linear(48, 10)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.005)

for epoch in range(40):
    order = torch.randperm(len(X_train))
    for batch in order.split(64):
        optimizer.zero_grad()
        loss = criterion(net(X_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()

with torch.no_grad():
    predicted = net(X_test).argmax(dim=1)
correct = (predicted == y_test).sum().item()
print(f"{correct}/{len(y_test)}")
