import numpy as np
from sklearn.datasets import make_classification

rng = np.random.default_rng(21)
X, y = make_classification(n_samples=3000, n_features=20, n_informative=10, n_redundant=4, n_classes=4,
                           n_clusters_per_class=1, class_sep=1.5, random_state=9)
X_tr, y_tr = X[:2200], y[:2200]
X_te, y_te = X[2200:], y[2200:]
mu, sd = X_tr.mean(0), X_tr.std(0)
X_tr, X_te = (X_tr - mu) / sd, (X_te - mu) / sd

SLOPE = 0.01
CLIP = 1.0


class RMSprop:
    def __init__(self, shapes, lr, decay=0.9, eps=1e-7):
        self.lr = lr
        self.decay = decay
        self.eps = eps
        self.cache = [np.zeros(s) for s in shapes]

    def update(self, params, grads):
        for p, g, c in zip(params, grads, self.cache):
            c *= self.decay
            c += (1 - self.decay) * g ** 2
            p -= self.lr * g / (np.sqrt(c) + self.eps)


def leaky_relu(z):
    return np.where(z > 0, z, SLOPE * z)


def log_softmax(z):
    m = z.max(axis=1, keepdims=True)
    return z - m - np.log(np.exp(z - m).sum(axis=1, keepdims=True))


def forward(params, x):
    w1, b1, w2, b2, w3, b3 = params
    z1 = x @ w1 + b1
    h1 = leaky_relu(z1)
    z2 = h1 @ w2 + b2
    h2 = leaky_relu(z2)
    return z1, h1, z2, h2, log_softmax(h2 @ w3 + b3)


def gradients(params, x, labels):
    w1, b1, w2, b2, w3, b3 = params
    z1, h1, z2, h2, logp = forward(params, x)
    d3 = np.exp(logp)
    d3[np.arange(len(x)), labels] -= 1
    d3 /= len(x)
    d2 = (d3 @ w3.T) * np.where(z2 > 0, 1, SLOPE)
    d1 = (d2 @ w2.T) * np.where(z1 > 0, 1, SLOPE)
    return [x.T @ d1, d1.sum(0), h1.T @ d2, d2.sum(0), h2.T @ d3, d3.sum(0)]


def clip_by_global_norm(grads, limit):
    norm = np.sqrt(sum((g ** 2).sum() for g in grads))
    if norm > limit:
        grads = [g * (limit / norm) for g in grads]
    return grads, norm


sizes = [20, 32, 32, 4]
params = []
for n_in, n_out in zip(sizes, sizes[1:]):
    params.append(rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out)))
    params.append(np.zeros(n_out))
opt = RMSprop([p.shape for p in params], lr=0.002)

for epoch in range(25):
    order = rng.permutation(len(X_tr))
    norms = []
    for i in range(0, len(order), 40):
        rows = order[i:i + 40]
        grads = gradients(params, X_tr[rows], y_tr[rows])
        grads, norm = clip_by_global_norm(grads, CLIP)
        norms.append(norm)
        opt.update(params, grads)
    if (epoch + 1) % 5 == 0:
        logp = forward(params, X_te)[-1]
        test_loss = -logp[np.arange(len(y_te)), y_te].mean()
        test_acc = (logp.argmax(1) == y_te).mean()
        print(f"[{epoch + 1:3d}] largest gradient norm {max(norms):.2f}  test loss {test_loss:.4f}  test acc {test_acc:.4f}")
