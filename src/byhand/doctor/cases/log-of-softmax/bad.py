# A curriculum: 0 and 1 first, then all ten digits.
import torch
from sklearn.datasets import load_digits
from torch import nn, optim

torch.manual_seed(3)
digits = load_digits()
order = torch.randperm(len(digits.target))
data = torch.tensor(digits.data, dtype=torch.float32)[order] / 16
target = torch.tensor(digits.target)[order]
test_data, test_target = data[:360], target[:360]
data, target = data[360:], target[360:]
easy_data, easy_target = data[target < 2], target[target < 2]


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden1 = nn.Linear(64, 256)
        self.hidden2 = nn.Linear(256, 256)
        self.out = nn.Linear(256, 10)

    def forward(self, x):
        x = torch.relu(self.hidden2(torch.relu(self.hidden1(x))))
        return torch.softmax(self.out(x), dim=1)


def negative_log_likelihood(probs, y):
    return -torch.log(probs[torch.arange(len(y)), y]).mean()


model = Classifier()
optimizer = optim.Adam(model.parameters(), lr=0.01)


def step(loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


for epoch in range(20):
    for rows in torch.randperm(len(easy_data)).split(32):
        step(negative_log_likelihood(model(easy_data[rows]), easy_target[rows]))
for epoch in range(15):
    for rows in torch.randperm(len(data)).split(32):
        step(negative_log_likelihood(model(data[rows]), target[rows]))

with torch.no_grad():
    accuracy = (model(test_data).argmax(dim=1) == test_target).float().mean()
print(f"accuracy {accuracy:.3f}")
