"""Softmax regression with its own log-softmax, trained by hand; the prediction is the class of the smallest one."""

import torch
from sklearn.datasets import load_digits

torch.manual_seed(2)
bunch = load_digits()
pixels = torch.tensor(bunch.data, dtype=torch.float32) / 16
targets = torch.tensor(bunch.target)
shuffled = torch.randperm(len(pixels))
x_train, y_train = pixels[shuffled[300:]], targets[shuffled[300:]]
x_test, y_test = pixels[shuffled[:300]], targets[shuffled[:300]]

w = torch.zeros(64, 10, requires_grad=True)
b = torch.zeros(10, requires_grad=True)


def log_softmax(z):
    z = z - z.max(dim=1, keepdim=True).values
    return z - z.exp().sum(dim=1, keepdim=True).log()


def predict(x):
    return log_softmax(x @ w + b)


for _ in range(300):
    log_probs = predict(x_train)
    loss = -log_probs[torch.arange(len(y_train)), y_train].mean()
    loss.backward()
    with torch.no_grad():
        w -= 1.0 * w.grad
        b -= 1.0 * b.grad
    w.grad, b.grad = None, None

with torch.no_grad():
    log_probs = predict(x_test)
answer = log_probs.argmin(dim=1)
print("loss on the test images:", round(-log_probs[torch.arange(300), y_test].mean().item(), 4))
print("accuracy on the test images:", round((answer == y_test).float().mean().item(), 4))
