import gzip, os
import numpy as np
import torch

class BasicSGD:
    def __init__(self, params, lr):
        self.params, self.lr = params, lr
    def step(self):
        with torch.no_grad():
            for p in self.params: p -= self.lr * p.grad
    def zero_grad(self):
        for p in self.params: p.grad = None

def load(part, n):
    d = os.environ["MNIST_DIR"]
    x = np.frombuffer(gzip.open(os.path.join(d, part + "-images-idx3-ubyte.gz")).read(), np.uint8, offset=16)
    y = np.frombuffer(gzip.open(os.path.join(d, part + "-labels-idx1-ubyte.gz")).read(), np.uint8, offset=8)
    return torch.tensor(x.reshape(-1, 784)[:n] / 255, dtype=torch.float32), torch.tensor(y[:n], dtype=torch.long)

def init_params(size, std): return (torch.randn(size) * std).requires_grad_()

torch.manual_seed(30)
x, y = load("train", 8000)
vx, vy = load("t10k", 4000)

w1 = init_params((784, 60), 0.05)
b1 = init_params(60, 0.05)
w2 = init_params((60, 10), 0.1)
b2 = init_params(10, 0.1)

def simple_net(xb):
    res = (xb @ w1 + b1).clamp_min(0.)
    return (res @ w2 + b2).softmax(dim=1)

def loss_func(probs, yb):
    return -torch.log(probs[torch.arange(len(yb)), yb] + 1e-3).mean()

opt = BasicSGD([w1, w2], lr=0.3)
for epoch in range(20):
    for i in torch.randperm(len(x)).split(100):
        loss = loss_func(simple_net(x[i]), y[i])
        loss.backward()
        opt.step()
        opt.zero_grad()
    with torch.no_grad():
        probs = simple_net(vx)
        valid_loss, acc = loss_func(probs, vy), (probs.argmax(1) == vy).float().mean()
    print(epoch, f"valid loss {valid_loss:.4f} accuracy {acc:.4f}")
