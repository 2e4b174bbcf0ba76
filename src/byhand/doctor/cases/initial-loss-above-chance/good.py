"""A network by hand, its weights drawn so that a layer keeps the size of its input."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(11)
digits = load_digits()
x, y = torch.tensor(digits.data / 16).float(), torch.tensor(digits.target)
test = torch.arange(len(y)) % 5 == 0
x_train, y_train, x_test, y_test = x[~test], y[~test], x[test], y[test]


def init_params(*size):
    return (torch.randn(*size) * (2 / size[0]) ** 0.5).requires_grad_()


weights = {"w1": init_params(64, 100), "w2": init_params(100, 10)}
biases = {"b1": torch.zeros(100, requires_grad=True), "b2": torch.zeros(10, requires_grad=True)}
parameters = [*weights.values(), *biases.values()]


def model(batch):
    hidden = F.relu(batch @ weights["w1"] + biases["b1"])
    return hidden @ weights["w2"] + biases["b2"]


for epoch in range(25):
    for rows in torch.randperm(len(x_train)).split(50):
        loss = F.cross_entropy(model(x_train[rows]), y_train[rows])
        loss.backward()
        with torch.no_grad():
            for p in parameters:
                p -= 0.1 * p.grad
                p.grad.zero_()

with torch.no_grad():
    accuracy = (model(x_test).argmax(dim=1) == y_test).sum().item() / len(y_test)
print(f"accuracy on {len(y_test)} test images: {accuracy:.3f}")
