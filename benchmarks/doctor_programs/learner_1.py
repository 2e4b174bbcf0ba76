from types import SimpleNamespace

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


class Callback:
    order = 0


class TrainCB(Callback):
    def after_loss(self, learn):
        if learn.model.training:
            learn.loss.backward()
            learn.opt.step()
            learn.opt.zero_grad()


class MetricsCB(Callback):
    def before_epoch(self, learn):
        self.loss = self.right = self.count = 0

    def after_loss(self, learn):
        n = len(learn.yb)
        self.loss += learn.loss.item() * n
        self.right += (learn.preds.argmax(-1) == learn.yb).sum().item()
        self.count += n

    def after_epoch(self, learn):
        part = "train" if learn.model.training else "valid"
        if learn.epoch % 5 == 4:
            print(f"{learn.epoch} {part}: loss {self.loss / self.count:.3f}, accuracy {self.right / self.count:.3f}")


class Learner:
    def __init__(self, model, dls, loss_func, lr, cbs, opt_func=optim.SGD):
        self.model, self.dls, self.loss_func, self.cbs = model, dls, loss_func, cbs
        self.opt = opt_func(model.parameters(), lr)

    def __call__(self, name):
        for cb in self.cbs:
            method = getattr(cb, name, None)
            if method is not None:
                method(self)

    def one_epoch(self, train):
        self.model.train(train)
        self("before_epoch")
        for self.xb, self.yb in self.dls.train if train else self.dls.valid:
            self.preds = self.model(self.xb)
            self.loss = self.loss_func(self.preds, self.yb)
            self("after_loss")
        self("after_epoch")

    def fit(self, n):
        for self.epoch in range(n):
            self.one_epoch(True)
            with torch.no_grad():
                self.one_epoch(False)


torch.manual_seed(1)
d = load_digits()
x = torch.tensor(d.data, dtype=torch.float32) / 16
y = torch.tensor(d.target)
split = torch.randperm(len(x))
tr, va = split[:1437], split[1437:]
dls = SimpleNamespace(
    train=DataLoader(TensorDataset(x[tr], y[tr]), batch_size=32, shuffle=True),
    valid=DataLoader(TensorDataset(x[va], y[va]), batch_size=128),
)
model = nn.Sequential(nn.Linear(64, 50), nn.ReLU(), nn.Linear(50, 10))
Learner(model, dls, F.cross_entropy, 0.2, [TrainCB(), MetricsCB()]).fit(25)
