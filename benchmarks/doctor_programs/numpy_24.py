import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

np.random.seed(99)
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=500, random_state=2)
scaler = StandardScaler()
X_train = scaler.fit_transform(X_train)
X_test = scaler.transform(X_test)

hidden1, hidden2 = 60, 40
W1 = np.random.randn(64, hidden1)
b1 = np.zeros((1, hidden1))
W2 = np.random.randn(hidden1, hidden2)
b2 = np.zeros((1, hidden2))
W3 = 0.01 * np.random.randn(hidden2, 10)
b3 = np.zeros((1, 10))
lr = 0.1


def predict(X):
    a1 = np.tanh(X @ W1 + b1)
    a2 = np.tanh(a1 @ W2 + b2)
    z3 = a2 @ W3 + b3
    z3 = z3 - np.max(z3, axis=1, keepdims=True)
    a3 = np.exp(z3) / np.sum(np.exp(z3), axis=1, keepdims=True)
    return a1, a2, a3


for epoch in range(1, 31):
    p = np.random.permutation(len(X_train))
    running = 0.0
    for i in range(0, len(p), 32):
        xb = X_train[p[i:i + 32]]
        yb = y_train[p[i:i + 32]]
        a1, a2, a3 = predict(xb)
        running += -np.log(a3[np.arange(len(xb)), yb] + 1e-12).sum()

        d3 = a3.copy()
        d3[np.arange(len(xb)), yb] -= 1
        d3 /= len(xb)
        d2 = (d3 @ W3.T) * (1 - a2 ** 2)
        d1 = (d2 @ W2.T) * (1 - a1 ** 2)

        W3 -= lr * a2.T @ d3
        b3 -= lr * d3.sum(axis=0, keepdims=True)
        W2 -= lr * a1.T @ d2
        b2 -= lr * d2.sum(axis=0, keepdims=True)
        W1 -= lr * xb.T @ d1
        b1 -= lr * d1.sum(axis=0, keepdims=True)
    if epoch % 6 == 0:
        acc = (predict(X_test)[2].argmax(axis=1) == y_test).mean()
        print(f'Epoch {epoch}/30  loss={running / len(p):.4f}  test_acc={acc:.4f}')
