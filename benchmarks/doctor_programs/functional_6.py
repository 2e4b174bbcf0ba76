import gzip
import os
import numpy as np
import torch

torch.manual_seed(42)


def idx(name):
    data = gzip.decompress(open(os.path.join(os.environ["MNIST_DIR"], name), "rb").read())
    head = 16 if "images" in name else 8
    return torch.tensor(np.frombuffer(data, dtype=np.uint8)[head:])


train_x = idx("train-images-idx3-ubyte.gz").reshape(-1, 28 * 28)[:10000] / 255.0
train_y = idx("train-labels-idx1-ubyte.gz")[:10000].long()
valid_x = idx("t10k-images-idx3-ubyte.gz").reshape(-1, 28 * 28) / 255.0
valid_y = idx("t10k-labels-idx1-ubyte.gz").long()

W = torch.randn(784, 10)
b = torch.zeros(10)
W.requires_grad_()
b.requires_grad_()

step_size = 0.002
for epoch in range(10):
    perm = torch.randperm(10000)
    for k in range(0, 10000, 200):
        i = perm[k:k + 200]
        logp = (train_x[i] @ W + b).log_softmax(dim=1)
        loss = -logp[range(200), train_y[i]].mean()
        loss.backward()
        W.data -= step_size * W.grad
        b.data -= step_size * b.grad
        W.grad.zero_()
        b.grad.zero_()
    with torch.no_grad():
        logp = (valid_x @ W + b).log_softmax(dim=1)
        vl = -logp[range(len(valid_y)), valid_y].mean()
        va = (logp.argmax(1) == valid_y).float().mean()
    print("%d valid loss %.3f valid accuracy %.3f" % (epoch, vl, va))
