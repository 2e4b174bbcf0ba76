from dataclasses import dataclass
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


@dataclass
class Data:
    x: torch.Tensor
    y: torch.Tensor
    bs: int = 50
    shuffle: bool = False

    def __iter__(self):
        n = len(self.y)
        idx = torch.randperm(n) if self.shuffle else torch.arange(n)
        return ((self.x[i], self.y[i]) for i in idx.split(self.bs))


class PrintMetrics:
    def __init__(self, every): self.every = every

    def epoch_end(self, learner):
        if (learner.epoch + 1) % self.every == 0:
            m = learner.validate()
            print(f"{learner.epoch + 1:>3} | " + " | ".join(f"{k} {v:.4f}" for k, v in m.items()))


class Learner:
    def __init__(self, train, valid, model, opt, callbacks=()):
        self.train, self.valid, self.model, self.opt, self.callbacks = train, valid, model, opt, callbacks

    def fit(self, n_epochs):
        self.model.train()
        for self.epoch in range(n_epochs):
            self.model.train()
            for xb, yb in self.train:
                self.opt.zero_grad()
                F.cross_entropy(self.model(xb), yb).backward()
                self.opt.step()
            for c in self.callbacks:
                c.epoch_end(self)

    @torch.no_grad()
    def validate(self):
        right, loss, n = 0, 0.0, 0
        for xb, yb in self.valid:
            out = self.model(xb)
            right += (out.argmax(1) == yb).sum().item()
            loss += F.cross_entropy(out, yb, reduction="sum").item()
            n += len(yb)
        return {"valid_loss": loss / n, "accuracy": right / n}


torch.manual_seed(16)
d = load_digits()
x, y = torch.tensor(d.data / 16).float(), torch.tensor(d.target)
perm = torch.randperm(len(y))
x, y = x[perm], y[perm]
train = Data(x, y, shuffle=True)
valid = Data(x[1400:], y[1400:], bs=100)
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 10))
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
Learner(train, valid, model, opt, [PrintMetrics(10)]).fit(40)
