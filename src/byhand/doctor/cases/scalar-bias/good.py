import numpy as np
from sklearn.datasets import load_iris

rng = np.random.default_rng(0)
flowers, species = load_iris(return_X_y=True)
order = rng.permutation(len(species))
flowers, species = flowers[order], species[order]
X_train, X_test = flowers[:75], flowers[75:]
y_train, y_test = species[:75], species[75:]
mean, std = X_train.mean(axis=0), X_train.std(axis=0)
X_train, X_test = (X_train - mean) / std, (X_test - mean) / std


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


W = np.zeros((4, 3))
b = np.zeros(3)
lr = 0.5
for epoch in range(40):
    order = rng.permutation(len(X_train))
    for start in range(0, len(order), 15):
        rows = order[start : start + 15]
        x, y = X_train[rows], y_train[rows]
        probs = softmax(x @ W + b)
        dz = probs.copy()
        dz[np.arange(len(y)), y] -= 1
        dz /= len(y)
        dW = x.T @ dz
        db = np.sum(dz, axis=0)
        W -= lr * dW
        b -= lr * db

predicted = np.argmax(X_test @ W + b, axis=1)
print("accuracy:", np.mean(predicted == y_test))
