import numpy as np
from sklearn.datasets import load_digits
from sklearn.preprocessing import OneHotEncoder

# A *deep* network: six hidden layers
architecture = [64, 32, 32, 32, 32, 32, 32, 10]
rng = np.random.default_rng(77)

X, y = load_digits(return_X_y=True)
X = X / 16.0
Y = OneHotEncoder(sparse_output=False).fit_transform(y[:, None])
order = rng.permutation(len(X))
X, Y = X[order], Y[order]
n_train = 1400

weights = [rng.standard_normal((a, b)) * 0.1 for a, b in zip(architecture[:-1], architecture[1:])]
biases = [np.zeros((1, b)) for b in architecture[1:]]


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def forward(X):
    activations = [X]
    for i, (w, b) in enumerate(zip(weights, biases)):
        z = activations[-1] @ w + b
        if i < len(weights) - 1:
            activations.append(sigmoid(z))
        else:
            z = z - z.max(axis=1, keepdims=True)
            activations.append(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))
    return activations


def backward(activations, Y):
    delta = (activations[-1] - Y) / len(Y)
    dw, db = [], []
    for i in range(len(weights) - 1, -1, -1):
        dw.insert(0, activations[i].T @ delta)
        db.insert(0, delta.sum(axis=0, keepdims=True))
        if i > 0:
            delta = (delta @ weights[i].T) * activations[i] * (1 - activations[i])
    return dw, db


lr = 0.2
for epoch in range(60):
    mixed = rng.permutation(n_train)
    for i in range(0, n_train, 35):
        acts = forward(X[mixed[i:i + 35]])
        dw, db = backward(acts, Y[mixed[i:i + 35]])
        for k in range(len(weights)):
            weights[k] -= lr * dw[k]
            biases[k] -= lr * db[k]
    if epoch % 10 == 0:
        out = forward(X[n_train:])[-1]
        loss = -(Y[n_train:] * np.log(out)).sum(axis=1).mean()
        acc = (out.argmax(axis=1) == Y[n_train:].argmax(axis=1)).mean()
        print("epoch {:3d} | validation loss {:.5f} | validation accuracy {:.3f}".format(epoch, loss, acc))
