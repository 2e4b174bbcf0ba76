import numpy as np
from sklearn.datasets import load_digits

# hyper parameters
batch_size = 60
learning_rate = 0.1
num_epochs = 40
lamda = 1e-4

np.random.seed(7)
X, y = load_digits(return_X_y=True)
X = X / 16
perm = np.random.permutation(len(X))
X_train, y_train, X_test, y_test = X[perm[:1380]], y[perm[:1380]], X[perm[1380:]], y[perm[1380:]]

params = {
    'W1': np.random.randn(64, 40) * np.sqrt(2 / 64),
    'b1': np.zeros(40),
    'W2': np.random.randn(40, 40) * np.sqrt(2 / 40),
    'b2': np.zeros(40),
    'W3': np.random.randn(40, 10) * np.sqrt(2 / 40),
    'b3': np.zeros(10),
}


def relu(v):
    return v * (v > 0)


def predict_proba(x, cache=None):
    h1 = relu(x @ params['W1'] + params['b1'])
    h2 = relu(h1 @ params['W2'] + params['b2'])
    z = h2 @ params['W3'] + params['b3']
    z = np.exp(z - np.max(z, axis=1, keepdims=True))
    if cache is not None:
        cache.update(h1=h1, h2=h2)
    return z / np.sum(z, axis=1, keepdims=True)


def grads_of(x, labels):
    n = x.shape[0]
    cache = {}
    delta = predict_proba(x, cache)
    delta[np.arange(n), labels] -= 1.0
    g = {}
    for k, h in ((3, cache['h2']), (2, cache['h1']), (1, x)):
        g['W%d' % k] = h.T @ delta / n + lamda * params['W%d' % k]
        g['b%d' % k] = delta.sum(axis=0)
        if k > 1:
            delta = (delta @ params['W%d' % k].T) * (h > 0)
    return g


for epoch in range(num_epochs):
    order = np.random.permutation(len(X_train))
    for b in range(len(order) // batch_size):
        sel = order[b * batch_size:(b + 1) * batch_size]
        g = grads_of(X_train[sel], y_train[sel])
        for name in params:
            params[name] -= learning_rate * g[name]
    if (epoch + 1) % 10 == 0:
        test_acc = np.mean(predict_proba(X_test).argmax(axis=1) == y_test)
        print('Epoch', epoch + 1, 'test accuracy', round(test_acc, 4))
