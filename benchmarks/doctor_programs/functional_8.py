import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(5)
np.random.seed(5)
d = load_digits()
idx = np.random.permutation(1797)
inputs = torch.tensor(d.data[idx] / 16.0, dtype=torch.float)
targets = torch.tensor(d.target[idx], dtype=torch.long)
tr_x, tr_y, te_x, te_y = inputs[:1450], targets[:1450], inputs[1450:], targets[1450:]

w1 = torch.empty(64, 100)
w2 = torch.empty(100, 10)
torch.nn.init.normal_(w1)
torch.nn.init.normal_(w2)
b1, b2 = torch.zeros(100), torch.zeros(10)
params = [w1, b1, w2, b2]
for p in params:
    p.requires_grad_()


def predict(x):
    return torch.tanh(x @ w1 + b1) @ w2 + b2


def focal_loss(logits, y, gamma=2.0):
    ce = F.cross_entropy(logits, y, reduction="none")
    pt = torch.softmax(logits, 1).gather(1, y[:, None])
    return ((1 - pt) ** gamma * ce).mean()


optimizer = torch.optim.SGD(params, lr=0.3)
for epoch in range(40):
    for rows in torch.randperm(len(tr_x)).split(50):
        optimizer.zero_grad()
        loss = focal_loss(predict(tr_x[rows]), tr_y[rows])
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        out = predict(te_x)
        acc = (out.argmax(1) == te_y).float().mean()
    if epoch % 5 == 4:
        print(f"{epoch + 1} test loss {focal_loss(out, te_y):.4f} test accuracy {acc:.4f}")
