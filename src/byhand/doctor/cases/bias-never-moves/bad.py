import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def initialize(n_in, n_hidden, n_out):
    rng = np.random.default_rng(1)
    params = {
        "W1": rng.normal(0, np.sqrt(2 / n_in), (n_in, n_hidden)),
        "b1": np.zeros((1, n_hidden)),
        "W2": rng.normal(0, np.sqrt(1 / n_hidden), (n_hidden, n_out)),
        "b2": np.zeros((1, n_out)),
    }
    return params


def forward(params, X):
    A1 = np.maximum(0, X @ params["W1"] + params["b1"])
    Z2 = A1 @ params["W2"] + params["b2"]
    expZ = np.exp(Z2 - Z2.max(axis=1, keepdims=True))
    return A1, expZ / expZ.sum(axis=1, keepdims=True)


def gradients(params, X, Y, A1, A2):
    dZ2 = (A2 - Y) / len(X)
    dZ1 = dZ2 @ params["W2"].T * (A1 > 0)
    return {
        "W1": X.T @ dZ1,
        "b1": dZ1.sum(axis=0, keepdims=True),
        "W2": A1.T @ dZ2,
        "b2": dZ2.sum(axis=0, keepdims=True),
    }


digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(digits.data / 16, digits.target, random_state=0)
Y_train = np.eye(10)[y_train]
params = initialize(64, 20, 10)
rng = np.random.default_rng(2)
for epoch in range(30):
    cost = 0
    for rows in np.array_split(rng.permutation(len(X_train)), 30):
        A1, A2 = forward(params, X_train[rows])
        cost -= np.sum(Y_train[rows] * np.log(A2)) / len(X_train)
        grads = gradients(params, X_train[rows], Y_train[rows], A1, A2)
        for name in ("W1", "W2"):
            params[name] -= 0.3 * grads[name]
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1}  cost {cost:.4f}")
print("accuracy", np.mean(forward(params, X_test)[1].argmax(axis=1) == y_test))
