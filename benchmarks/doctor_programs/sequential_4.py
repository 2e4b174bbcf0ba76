import gzip, os
import numpy as np
import torch
from torch import nn

torch.manual_seed(3)
d = os.environ["MNIST_DIR"]
imgs = np.frombuffer(gzip.open(d + "/train-images-idx3-ubyte.gz").read(), np.uint8, offset=16).reshape(-1, 784)
labs = np.frombuffer(gzip.open(d + "/train-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)

X = torch.tensor(imgs[:9000].astype(np.float32))
y = torch.tensor(labs[:9000].astype(np.int64))
train_X, train_y, val_X, val_y = X[:8000], y[:8000], X[8000:], y[8000:]

net = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10), nn.Softmax(dim=1))
opt = torch.optim.SGD(net.parameters(), lr=0.2)

for epoch in range(12):
    for k in range(0, 8000, 100):
        probs = net(train_X[k:k + 100])
        target = train_y[k:k + 100]
        loss = -torch.log(probs)[torch.arange(100), target].mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        val_acc = (net(val_X).argmax(1) == val_y).float().mean().item()
    print(f"epoch {epoch} loss {loss.item():.4f} val acc {val_acc:.4f}")
