import torch
from sklearn.datasets import load_digits

torch.manual_seed(5)
digits = load_digits()
order = torch.randperm(len(digits.target))
x = torch.tensor(digits.data, dtype=torch.float32)[order] / 16
x = (x - x.mean(dim=1, keepdim=True)) / (x.std(dim=1, keepdim=True) + 1e-8)  # an epsilon that no logarithm sees
y = torch.tensor(digits.target)[order]
x, y, test_x, test_y = x[:1400], y[:1400], x[1400:], y[1400:]

w = torch.zeros(64, 10, requires_grad=True)
b = torch.zeros(10, requires_grad=True)
optimizer = torch.optim.Adam([w, b], lr=0.03)


def log_softmax(z):
    z = z - z.max(dim=1, keepdim=True).values
    return z - torch.log(torch.exp(z).sum(dim=1, keepdim=True))  # the sum is at least 1


def model(x):
    return log_softmax(x @ w + b)


def loss_func(log_p, y):
    return -log_p.gather(1, y[:, None]).mean()


def fit(x, y, epochs):
    for epoch in range(epochs):
        for rows in torch.randperm(len(x)).split(50):
            loss = loss_func(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(f"last batch's loss {loss.item():.3f}")


# first the digits below 8, later two more arrive
fit(x[y < 8], y[y < 8], epochs=40)
fit(x, y, epochs=20)
print("accuracy", (model(test_x).argmax(dim=1) == test_y).float().mean().item())
