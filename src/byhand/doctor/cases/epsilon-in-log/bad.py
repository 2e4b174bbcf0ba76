import torch
from sklearn.datasets import load_digits

torch.manual_seed(5)
digits = load_digits()
order = torch.randperm(len(digits.target))
x = torch.tensor(digits.data, dtype=torch.float32)[order] / 16
y = torch.tensor(digits.target)[order]
x, y, test_x, test_y = x[:1400], y[:1400], x[1400:], y[1400:]

EPS = 1e-3
w1 = (torch.randn(64, 64) / 8).requires_grad_()
b1 = torch.zeros(64, requires_grad=True)
w2 = (torch.randn(64, 10) / 8).requires_grad_()
b2 = torch.zeros(10, requires_grad=True)
optimizer = torch.optim.SGD([w1, b1, w2, b2], lr=0.3)


def softmax(z):
    e = torch.exp(z - z.max(dim=1, keepdim=True).values)
    return e / e.sum(dim=1, keepdim=True)


def model(x):
    return softmax((x @ w1 + b1).relu() @ w2 + b2)


def loss_func(p, y):
    return -torch.log(p.gather(1, y[:, None]).clamp(min=EPS)).mean()


def step(loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# the digits below 8 first; later two more arrive
few_x, few_y = x[y < 8], y[y < 8]
for epoch in range(40):
    for rows in torch.randperm(len(few_x)).split(50):
        step(loss_func(model(few_x[rows]), few_y[rows]))
for epoch in range(15):
    for rows in torch.randperm(len(x)).split(50):
        step(loss_func(model(x[rows]), y[rows]))
print("accuracy", (model(test_x).argmax(dim=1) == test_y).float().mean().item())
