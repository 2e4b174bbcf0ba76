# Is it a 3 or an 8?
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(4)
digits = load_digits()
keep = (digits.target == 3) | (digits.target == 8)
x = torch.tensor(digits.data[keep] / 16, dtype=torch.float32)
t = torch.tensor(digits.target[keep] == 8, dtype=torch.float32)
order = torch.randperm(len(x))
x, t = x[order], t[order]
x_train, t_train, x_test, t_test = x[:250], t[:250], x[250:], t[250:]

model = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

for epoch in range(60):
    for rows in torch.randperm(len(x_train)).split(25):
        out = model(x_train[rows])
        loss = ((out - t_train[rows]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

with torch.no_grad():
    answer = model(x_test)[:, 0] > 0.5
right = (answer == (t_test == 1)).sum().item()
print(f"{right} of {len(t_test)} right, last loss {loss.item():.4f}")
