import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(7)
data, target = load_digits(return_X_y=True)
data = torch.tensor(data / 16, dtype=torch.float32)
target = torch.tensor(target)
x_train, x_test, y_train, y_test = train_test_split(data, target, test_size=0.25, random_state=7)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 40)
        self.fc2 = nn.Linear(40, 10)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.dropout(x, p=0.5)
        return self.fc2(x)


model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(20):
    model.train()
    for batch in torch.randperm(len(x_train)).split(32):
        loss = F.cross_entropy(model(x_train[batch]), y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

model.eval()
with torch.no_grad():
    predicted = model(x_test).argmax(dim=1)
print("test accuracy:", (predicted == y_test).float().mean().item())
