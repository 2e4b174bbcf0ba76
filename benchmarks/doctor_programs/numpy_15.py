import numpy as np
from math import cos, pi
from sklearn.datasets import load_digits

np.random.seed(1234)
digits = load_digits()
shuffle = np.random.permutation(len(digits.data))
images = digits.data[shuffle] / 16
labels = digits.target[shuffle]
targets = np.eye(10)[labels]

N = 1400
HIDDEN = 60
EPOCHS = 40
BATCH = 20
MAX_RATE = 0.12

w_hidden = np.random.uniform(-1, 1, (64, HIDDEN)) * np.sqrt(6 / (64 + HIDDEN))
bias_hidden = np.zeros(HIDDEN)
w_out = np.random.uniform(-1, 1, (HIDDEN, 10)) * np.sqrt(6 / (HIDDEN + 10))
bias_out = np.zeros(10)


def sig(x):
    return 1 / (1 + np.exp(-x))


def run(x):
    hidden = sig(x @ w_hidden + bias_hidden)
    return hidden, sig(hidden @ w_out + bias_out)


def train_step(x, t, rate):
    global w_hidden, bias_hidden, w_out, bias_out
    hidden, out = run(x)
    error = out - t
    loss = 0.5 * (error ** 2).sum()
    delta_out = error * out * (1 - out)
    delta_hidden = (delta_out @ w_out.T) * hidden * (1 - hidden)
    w_out = w_out - rate * hidden.T @ delta_out
    bias_out = bias_out - rate * delta_out.sum(axis=0)
    w_hidden = w_hidden - rate * x.T @ delta_hidden
    bias_hidden = bias_hidden - rate * delta_hidden.sum(axis=0)
    return loss


def score(x, y):
    return (run(x)[1].argmax(axis=1) == y).mean()


for epoch in range(EPOCHS):
    rate = 0.002 + MAX_RATE * 0.5 * (1 + cos(pi * epoch / EPOCHS))   # cosine schedule
    total = 0
    order = np.random.permutation(N)
    for i in range(0, N, BATCH):
        total += train_step(images[order[i:i + BATCH]], targets[order[i:i + BATCH]], rate)
    if epoch % 8 == 7:
        # a quick look at 100 of the held-out rows only, the whole of them comes at the end
        quick = score(images[N:N + 100], labels[N:N + 100])
        print("epoch", epoch + 1, "rate %.4f" % rate, "sum of squares %.2f" % total, "quick check %.2f" % quick)

print("accuracy on all", len(labels) - N, "held-out rows: %.4f" % score(images[N:], labels[N:]))
