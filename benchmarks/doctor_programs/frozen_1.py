# random features: the first layer stays as it was drawn, only the last is trained
import gzip, os
import numpy as np, torch
from torch import nn

torch.manual_seed(3)

def get(name, offset):
    raw = gzip.open(os.path.join(os.environ["MNIST_DIR"], name)).read()
    return np.frombuffer(raw, np.uint8, offset=offset).copy()

xtr = torch.from_numpy(get("train-images-idx3-ubyte.gz", 16)).view(-1, 784)[:6000].float() / 255
ytr = torch.from_numpy(get("train-labels-idx1-ubyte.gz", 8))[:6000].long()
xte = torch.from_numpy(get("t10k-images-idx3-ubyte.gz", 16)).view(-1, 784)[:3000].float() / 255
yte = torch.from_numpy(get("t10k-labels-idx1-ubyte.gz", 8))[:3000].long()

features = nn.Sequential(nn.Linear(784, 300), nn.ReLU())
for p in features.parameters():
    p.requires_grad = False
head = nn.Linear(300, 10)
model = nn.Sequential(features, head)

opt = torch.optim.Adam(head.parameters(), lr=1e-2)
for epoch in range(40):
    for rows in torch.randperm(6000).split(100):
        loss = nn.functional.cross_entropy(model(xtr[rows]), ytr[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    acc = (model(xte).argmax(1) == yte).float().mean()
    print(epoch, f"{acc:.4f}")
