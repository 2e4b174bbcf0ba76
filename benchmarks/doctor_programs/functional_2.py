import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(0)
digits = load_digits()
data = torch.tensor(digits.data).float() / 16
target = torch.tensor(digits.target)
p = torch.randperm(len(data))
data, target = data[p], target[p]
x_train, y_train, x_test, y_test = data[:1500], target[:1500], data[1500:], target[1500:]


def init(*shape):
    return (torch.randn(*shape) / shape[0] ** 0.5).requires_grad_()


w1, b1 = init(64, 40), torch.zeros(40, requires_grad=True)
w2, b2 = init(40, 10), torch.zeros(10, requires_grad=True)
params = [w1, b1, w2, b2]


def net(x):
    return (x @ w1 + b1).relu() @ w2 + b2


def old_accuracy(x, y):
    # first try, not used any more
    probs = F.softmax(net(x), dim=0)
    return (probs.argmin(1) == y[:, None]).float().mean()


def accuracy(x, y):
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()


for epoch in range(50):
    for rows in torch.randperm(len(x_train)).split(50):
        loss = F.cross_entropy(net(x_train[rows]), y_train[rows])
        grads = torch.autograd.grad(loss, params)
        with torch.no_grad():
            for q, g in zip(params, grads):
                q -= 0.3 * g

print("train accuracy", accuracy(x_train, y_train))
print("test accuracy", accuracy(x_test, y_test))
