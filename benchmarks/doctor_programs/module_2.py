import numpy as np
import torch
from torch import nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(11)
np.random.seed(11)


class NLLModel(nn.Module):
    """gives the negative log likelihood of each class"""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 64)
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.hidden(x))
        return -F.log_softmax(self.out(x), dim=1)


data = load_digits()
perm = np.random.permutation(len(data.target))
images = torch.tensor(data.data[perm] / 16, dtype=torch.float32)
target = torch.tensor(data.target[perm])
train_x, train_y = images[:1300], target[:1300]
test_x, test_y = images[1300:], target[1300:]

model = NLLModel()
optim = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
for epoch in range(40):
    shuffled = torch.randperm(1300)
    for i in range(0, 1300, 100):
        rows = shuffled[i:i + 100]
        nll = model(train_x[rows])
        loss = nll[torch.arange(len(rows)), train_y[rows]].mean()
        optim.zero_grad()
        loss.backward()
        optim.step()

nll = model(test_x).detach()
pred = nll.argmin(dim=1)
print("test accuracy:", (pred == test_y).float().mean().item())
