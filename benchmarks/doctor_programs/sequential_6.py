import gzip, os
import numpy as np
import torch
from torch import nn

torch.manual_seed(4)

def load(split):
    base = os.path.join(os.environ["MNIST_DIR"], split)
    with gzip.open(base + "-images-idx3-ubyte.gz") as f:
        images = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 784)
    with gzip.open(base + "-labels-idx1-ubyte.gz") as f:
        labels = np.frombuffer(f.read(), np.uint8, offset=8)
    by_label = np.argsort(labels, kind="stable")
    return images[by_label], labels[by_label]

images, labels = load("train")
images, labels = images[:5000], labels[:5000]
test_images, test_labels = load("t10k")

x = torch.tensor(images / 255).float()
y = torch.tensor(labels).long()
tx = torch.tensor(test_images / 255).float()
ty = torch.tensor(test_labels).long()

model = nn.Sequential(nn.Linear(784, 40), nn.ReLU(), nn.Linear(40, 10))
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.Adam(model.parameters(), 2e-3)
for epoch in range(12):
    for idx in torch.randperm(len(x)).split(50):
        loss = loss_fn(model(x[idx]), y[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch + 1}, loss {loss.item():.5f}")
with torch.no_grad():
    print(f"test accuracy {(model(tx).argmax(1) == ty).float().mean().item():.4f}")
