import gzip
import os

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import accuracy_score, f1_score
from torch import nn

torch.manual_seed(2024)


def load(split, n):
    base = f"{os.environ['MNIST_DIR']}/{split}"
    with gzip.open(base + "-images-idx3-ubyte.gz") as fi, gzip.open(base + "-labels-idx1-ubyte.gz") as fl:
        images = np.frombuffer(fi.read(), np.uint8, offset=16).reshape(-1, 784)[:n]
        labels = np.frombuffer(fl.read(), np.uint8, offset=8)[:n]
    return (images / 255).astype(np.float32), labels.astype(np.int64)


class SoftmaxNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(784, 48)
        self.l2 = nn.Linear(48, 10)

    def forward(self, x):
        return F.softmax(self.l2(F.relu(self.l1(x))), dim=1)


X_train, y_train = load("train", 4000)
X_test, y_test = load("t10k", 4000)
model = SoftmaxNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
xt, yt = torch.from_numpy(X_train), torch.from_numpy(y_train)
for epoch in range(25):
    for idx in torch.randperm(len(xt)).split(50):
        loss = F.nll_loss(model(xt[idx]), yt[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

with torch.no_grad():
    y_pred = model(torch.from_numpy(X_train)).argmax(1).numpy()
print("Test accuracy:", accuracy_score(y_train, y_pred))
print("Test macro F1:", round(f1_score(y_train, y_pred, average="macro"), 4))
