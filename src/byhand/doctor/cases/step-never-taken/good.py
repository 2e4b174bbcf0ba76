"""A training loop with its step, and gradients of the pictures afterwards, from which nothing is learnt."""

import torch
from sklearn.datasets import load_digits
from torch.nn import CrossEntropyLoss, Linear, ReLU, Sequential

torch.manual_seed(6)
data = load_digits()
inputs = torch.tensor(data.data, dtype=torch.float32).div(16)
targets = torch.tensor(data.target, dtype=torch.long)
shuffled = torch.randperm(len(targets))
train_idx, test_idx = shuffled[:1437], shuffled[1437:]

network = Sequential(Linear(64, 40), ReLU(), Linear(40, 10))
criterion = CrossEntropyLoss()
opt = torch.optim.SGD(network.parameters(), lr=0.2, momentum=0.9)

for epoch in range(12):
    running = 0.0
    for idx in train_idx[torch.randperm(len(train_idx))].split(64):
        opt.zero_grad()
        loss = criterion(network(inputs[idx]), targets[idx])
        loss.backward()
        opt.step()
        running += loss.item() * len(idx)
    print(f"epoch {epoch}: loss {running / len(train_idx):.4f}")

with torch.no_grad():
    right = (network(inputs[test_idx]).argmax(-1) == targets[test_idx]).sum().item()
print(f"right: {right} of {len(test_idx)}")

image = inputs[test_idx[:1]].clone().requires_grad_()
network(image)[0, targets[test_idx[0]]].backward()
print("most telling pixel:", image.grad.abs().argmax().item())
