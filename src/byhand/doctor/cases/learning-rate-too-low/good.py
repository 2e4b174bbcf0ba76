"""Softmax regression with a rate that suits it, and a loss that is printed as it falls."""

import torch
from sklearn.datasets import load_digits

torch.manual_seed(9)
LEARNING_RATE = 0.3
EPOCHS = 20
BATCH_SIZE = 32

bunch = load_digits()
images = torch.from_numpy(bunch.images).to(torch.float32).view(-1, 64) / 16
labels = torch.from_numpy(bunch.target)
perm = torch.randperm(len(labels))
images, labels = images[perm], labels[perm]
n_test = 300

layer = torch.nn.Linear(64, 10)


def update():
    with torch.no_grad():
        for p in layer.parameters():
            p.sub_(LEARNING_RATE * p.grad)
            p.grad.zero_()


for epoch in range(EPOCHS):
    epoch_loss = 0.0
    order = torch.randperm(len(labels) - n_test) + n_test
    for idx in order.split(BATCH_SIZE):
        loss = torch.nn.functional.cross_entropy(layer(images[idx]), labels[idx])
        loss.backward()
        update()
        epoch_loss += loss.item() * len(idx)
    print(f"{epoch:2d}  {epoch_loss / len(order):.4f}")

outputs = layer(images[:n_test])
_, predicted = torch.max(outputs, 1)
print("accuracy:", (predicted == labels[:n_test]).sum().item() / n_test)
