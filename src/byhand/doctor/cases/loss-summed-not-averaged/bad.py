import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(0)
bunch = load_digits()
x = torch.tensor(bunch.data / 16, dtype=torch.float32)
y = torch.tensor(bunch.target)
shuffled = torch.randperm(len(x))
x, y = x[shuffled], y[shuffled]
x, valid_x = x[:1437], x[1437:]
y, valid_y = y[:1437], y[1437:]


def init(*size):
    return (torch.randn(size) / size[0] ** 0.5).requires_grad_()


params = [init(64, 32), torch.zeros(32, requires_grad=True), init(32, 10), torch.zeros(10, requires_grad=True)]


def model(x):
    w1, b1, w2, b2 = params
    return torch.tanh(x @ w1 + b1) @ w2 + b2


lr = 0.3
for epoch in range(20):
    for i in torch.randperm(len(x)).split(64):
        log_p = F.log_softmax(model(x[i]), dim=1)
        loss = -log_p[torch.arange(len(i)), y[i]].sum()
        grads = torch.autograd.grad(loss, params)
        with torch.no_grad():
            for p, g in zip(params, grads):
                p -= lr * g

with torch.no_grad():
    print("valid accuracy:", (model(valid_x).argmax(1) == valid_y).float().mean().item())
