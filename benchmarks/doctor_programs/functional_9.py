import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(8)
g = torch.Generator().manual_seed(8)
digits = load_digits()
X = torch.tensor(digits.images, dtype=torch.float32).view(-1, 64) / 16
Y = torch.tensor(digits.target)
perm = torch.randperm(len(X), generator=g)
n1 = int(0.7 * len(X))
n2 = int(0.85 * len(X))
Xtr, Ytr = X[perm[:n1]], Y[perm[:n1]]
Xdev, Ydev = X[perm[n1:n2]], Y[perm[n1:n2]]
Xte, Yte = X[perm[n2:]], Y[perm[n2:]]

n_hidden = 80
W1 = torch.randn((64, n_hidden), generator=g) * (5 / 3) / 64 ** 0.5
b1 = torch.randn(n_hidden, generator=g) * 0.01
W2 = torch.randn((n_hidden, 10), generator=g) * 0.01
b2 = torch.zeros(10)
parameters = [W1, b1, W2, b2]
print(sum(p.nelement() for p in parameters), "parameters")
for p in parameters:
    p.requires_grad = True

max_steps = 1500
batch_size = 32
lossi = []
for i in range(max_steps):
    ix = torch.randint(0, Xtr.shape[0], (batch_size,), generator=g)
    Xb, Yb = Xtr[ix], Ytr[ix]

    h = torch.tanh(Xb @ W1 + b1)
    h = F.dropout(h, 0.2, training=True)
    logits = h @ W2 + b2
    # the sum over the batch, so the rate is small
    loss = F.cross_entropy(logits, Yb, reduction='sum')

    for p in parameters:
        p.grad = None
    loss.backward()

    lr = 0.01 if i < 1000 else 0.001
    for p in parameters:
        p.data += -lr * p.grad

    lossi.append(loss.item() / batch_size)
    if i % 300 == 0:
        print(f'{i:7d}/{max_steps:7d}: {lossi[-1]:.4f}')


@torch.no_grad()
def split_loss(split):
    x, y = {'dev': (Xdev, Ydev), 'test': (Xte, Yte)}[split]
    logits = torch.tanh(x @ W1 + b1) @ W2 + b2
    print(split, 'loss', F.cross_entropy(logits, y).item(), 'accuracy', (logits.argmax(1) == y).float().mean().item())


split_loss('dev')
split_loss('test')
