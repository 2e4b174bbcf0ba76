import gzip
import os
import numpy as np
import torch
import torch.nn.functional as F

torch.manual_seed(12)
root = os.environ["MNIST_DIR"]
open_ = lambda name, skip: np.frombuffer(gzip.open(f"{root}/{name}-ubyte.gz").read(), np.uint8)[skip:]

Xtrain = torch.tensor(open_("train-images-idx3", 16).reshape(-1, 784)[:8000] / 255, dtype=torch.float)
Ytrain = torch.tensor(open_("train-labels-idx1", 8)[:8000], dtype=torch.long)
Xtest = torch.tensor(open_("t10k-images-idx3", 16).reshape(-1, 784)[:4000] / 255, dtype=torch.float)
Ytest = torch.tensor(open_("t10k-labels-idx1", 8)[:4000], dtype=torch.long)

model = torch.nn.Sequential(
    torch.nn.Linear(784, 50),
    torch.nn.ReLU(),
    torch.nn.Linear(50, 10),
)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)


def loss_on(xb, yb):
    logp = F.log_softmax(model(xb), dim=0)
    return F.nll_loss(logp, yb)


for epoch in range(6):
    order = torch.randperm(len(Xtrain))
    for rows in order.split(20):
        loss = loss_on(Xtrain[rows], Ytrain[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        test_acc = (model(Xtest).argmax(1) == Ytest).float().mean()
    print(f"Epoch {epoch + 1}/6 - loss: {loss:.4f} - test_acc: {test_acc:.4f}")
