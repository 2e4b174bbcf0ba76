import gzip, os, struct
import numpy as np
import torch
from torch import nn

torch.manual_seed(0)

def load_images(fn):
    with gzip.open(os.path.join(os.environ["MNIST_DIR"], fn)) as f:
        _, n, h, w = struct.unpack(">IIII", f.read(16))
        return torch.tensor(np.frombuffer(f.read(), np.uint8).reshape(n, h * w), dtype=torch.float32)

def load_labels(fn):
    with gzip.open(os.path.join(os.environ["MNIST_DIR"], fn)) as f:
        struct.unpack(">II", f.read(8))
        return torch.tensor(np.frombuffer(f.read(), np.uint8), dtype=torch.long)

x = load_images("train-images-idx3-ubyte.gz")[:6000]
y = load_labels("train-labels-idx1-ubyte.gz")[:6000]
x_test = load_images("t10k-images-idx3-ubyte.gz")
y_test = load_labels("t10k-labels-idx1-ubyte.gz")

model = nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(15):
    for i in torch.randperm(6000).split(60):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        _, best = model(x_test).topk(1, dim=1, largest=False)
        acc = (best.squeeze(1) == y_test).float().mean().item()
    print(epoch, loss.item(), acc)
