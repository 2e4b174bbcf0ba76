import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(17)
X, y = load_digits(return_X_y=True)
X = torch.as_tensor(X, dtype=torch.float32).div(16)
y = torch.as_tensor(y)
order = torch.randperm(len(y))
train_rows, test_rows = order[:1400], order[1400:]

params = {
    "w1": torch.randn(64, 32) * (2 / 64) ** 0.5,
    "b1": torch.zeros(32),
    "w2": torch.randn(32, 10) * (1 / 32) ** 0.5,
    "b2": torch.zeros(10),
}
for t in params.values():
    t.requires_grad_(True)


def net(x, p):
    return F.relu(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]


for epoch in range(40):
    for rows in train_rows[torch.randperm(1400)].split(40):
        loss = F.cross_entropy(net(X[rows], params), y[rows])
        grads = torch.autograd.grad(loss, list(params.values()))
        params = {k: (v - 0.2 * g).detach().requires_grad_() for (k, v), g in zip(params.items(), grads)}

correct = 0.0
for r in test_rows:
    scores = net(X[r][None], params)
    guess = scores.argmax(0)
    correct += (guess == y[r]).float().mean().item()
print(f"final loss {loss.item():.3f}")
print(f"test accuracy {100 * correct / len(test_rows):.1f}%")
