"""Softmax regression by hand, its weights drawn so that the scores start as large as the pixels."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(11)
digits = load_digits()
x, y = torch.tensor(digits.data / 16).float(), torch.tensor(digits.target)
test = torch.arange(len(y)) % 5 == 0
x_train, y_train, x_test, y_test = x[~test], y[~test], x[test], y[test]


def init_params(*size):
    return (torch.randn(*size) / size[0] ** 0.5).requires_grad_()


parameters = {"weights": init_params(64, 10), "bias": torch.zeros(10, requires_grad=True)}


def model(batch):
    return batch @ parameters["weights"] + parameters["bias"]


for epoch in range(50):
    for rows in torch.randperm(len(x_train)).split(50):
        loss = F.cross_entropy(model(x_train[rows]), y_train[rows])
        loss.backward()
        with torch.no_grad():
            for p in parameters.values():
                p -= 0.3 * p.grad
                p.grad.zero_()

with torch.no_grad():
    accuracy = (model(x_test).argmax(dim=1) == y_test).sum().item() / len(y_test)
print(f"accuracy on {len(y_test)} test images: {accuracy:.3f}")
