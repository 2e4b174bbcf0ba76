import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


class Callback:
    def before_fit(self, learn): pass
    def before_batch(self, learn): pass
    def after_batch(self, learn): pass
    def after_epoch(self, learn): pass
    def after_fit(self, learn): pass


class ZeroGrad(Callback):
    def after_fit(self, learn): learn.opt.zero_grad()


class Recorder(Callback):
    def before_fit(self, learn): self.total, self.losses = 0.0, []

    def after_batch(self, learn):
        if not learn.training:
            self.total += learn.loss.item()

    def after_epoch(self, learn):
        self.losses.append(self.total / len(learn.valid_dl.dataset))
        self.total = 0.0
        if learn.epoch % 4 == 3:
            print(f"epoch {learn.epoch + 1}: valid_loss {self.losses[-1]:.5f}")


class Learner:
    def __init__(self, train_dl, valid_dl, model, loss_func, lr, cbs):
        self.train_dl, self.valid_dl, self.model, self.loss_func = train_dl, valid_dl, model, loss_func
        self.opt = optim.SGD(model.parameters(), lr=lr)
        self.cbs = cbs

    def cb(self, name):
        for c in self.cbs:
            getattr(c, name)(self)

    def run_epoch(self, training):
        self.training = training
        self.model.train(training)
        with torch.set_grad_enabled(training):
            for self.xb, self.yb in self.train_dl if training else self.valid_dl:
                self.cb("before_batch")
                self.loss = self.loss_func(self.model(self.xb), self.yb)
                if training:
                    self.loss.backward()
                    self.opt.step()
                self.cb("after_batch")

    def fit(self, epochs):
        self.cb("before_fit")
        for self.epoch in range(epochs):
            self.run_epoch(True)
            self.run_epoch(False)
            self.cb("after_epoch")
        self.cb("after_fit")


torch.manual_seed(15)
x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
p = torch.randperm(len(y))
train_ds, valid_ds = TensorDataset(x[p[:1400]], y[p[:1400]]), TensorDataset(x[p[1400:]], y[p[1400:]])
model = nn.Sequential(nn.Linear(64, 50), nn.ReLU(), nn.Linear(50, 10))
learn = Learner(DataLoader(train_ds, 50, shuffle=True), DataLoader(valid_ds, 100), model, F.cross_entropy, 0.2, [ZeroGrad(), Recorder()])
learn.fit(20)
