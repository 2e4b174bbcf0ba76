# is it a 3 or a 7?
import gzip, os
import numpy as np
import torch

class MyOptim:
    def __init__(self, params, lr): self.params, self.lr = list(params), lr
    def step(self):
        for p in self.params: p.data -= p.grad.data * self.lr
    def zero_grad(self):
        for p in self.params: p.grad = None

def read(part, rows):
    d = os.environ["MNIST_DIR"]
    x = np.frombuffer(gzip.open(f"{d}/{part}-images-idx3-ubyte.gz").read(), np.uint8, offset=16).reshape(-1, 784)[:rows]
    y = np.frombuffer(gzip.open(f"{d}/{part}-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)[:rows]
    threes, sevens = torch.tensor(x[y == 3]), torch.tensor(x[y == 7])
    xs = torch.cat([threes, sevens]).float() / 255
    ys = torch.tensor([1] * len(threes) + [0] * len(sevens)).unsqueeze(1)
    return xs, ys

torch.manual_seed(8)
train_x, train_y = read("train", 10000)
valid_x, valid_y = read("t10k", 10000)

weights = (torch.randn(784, 1) * 0.05).requires_grad_()
bias = torch.zeros(1, requires_grad=True)

def linear1(xb): return xb @ weights + bias

def mnist_loss(predictions, targets):
    predictions = predictions.sigmoid()
    return torch.where(targets == 1, 1 - predictions, predictions).mean()

def batch_accuracy(xb, yb):
    preds = xb.sigmoid() > 0.5
    return (preds == yb).float().mean()

opt = MyOptim([weights, bias], lr=1.0)
for epoch in range(30):
    for idx in torch.randperm(len(train_x)).split(128):
        loss = mnist_loss(linear1(train_x[idx]), train_y[idx])
        loss.backward()
        opt.step()
        opt.zero_grad()
    if epoch % 5 == 4:
        print(round(batch_accuracy(linear1(valid_x), valid_y).item(), 4))
