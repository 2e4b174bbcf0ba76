import gzip, os
import numpy as np
import torch

class GD:
    def __init__(self, params, lr): self.params, self.lr = list(params), lr
    def step(self):
        for p in self.params: p.data -= p.grad.data * self.lr
    def zero_grad(self):
        for p in self.params: p.grad = None

def pixels(part): return np.frombuffer(gzip.open(os.environ["MNIST_DIR"] + f"/{part}-images-idx3-ubyte.gz").read(), np.uint8, offset=16).reshape(-1, 784)
def digits(part): return np.frombuffer(gzip.open(os.environ["MNIST_DIR"] + f"/{part}-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)

def three_or_seven(part, n):
    x, y = pixels(part)[:n], digits(part)[:n]
    keep = (y == 3) | (y == 7)
    x = torch.tensor(x[keep]).float() / 255
    y = torch.tensor(y[keep] == 3).float()
    return x, y

torch.manual_seed(31)
x, y = three_or_seven("train", 10000)
x_valid, y_valid = three_or_seven("t10k", 10000)
model = torch.nn.Linear(784, 1)

def mnist_loss(predictions, targets):
    p = predictions.sigmoid()
    return torch.where(targets == 1, 1 - p, p).mean()

def validate():
    with torch.no_grad():
        pred = (model(x_valid).sigmoid() > 0.5).squeeze(1)
    return (pred == y_valid.bool()).float().mean().item()

opt = GD(model.parameters(), lr=1.0)
for epoch in range(25):
    for i in torch.randperm(len(x)).split(64):
        loss = mnist_loss(model(x[i]), y[i])
        loss.backward()
        opt.step()
        opt.zero_grad()
    if epoch % 4 == 0:
        print(f"{epoch}: loss {loss:.4f}, valid accuracy {validate():.4f}")
