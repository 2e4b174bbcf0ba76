import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

np.random.seed(42)


class Dense:
    def __init__(self, in_features, out_features):
        self.params = {"W": np.random.randn(in_features, out_features) * np.sqrt(2.0 / in_features),
                       "b": np.zeros(out_features)}
        self.grads = {}

    def forward(self, x, training):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dout):
        self.grads["W"] = self.x.T @ dout
        self.grads["b"] = dout.sum(axis=0)
        return dout @ self.params["W"].T


class ReLU:
    params, grads = {}, {}

    def forward(self, x, training):
        self.mask = x > 0
        return np.where(self.mask, x, 0.0)

    def backward(self, dout):
        return dout * self.mask


class Dropout:
    """Inverted dropout: scaled while training, nothing to do at test time."""
    params, grads = {}, {}

    def __init__(self, p):
        self.p = p

    def forward(self, x, training):
        if not training:
            return x
        self.mask = (np.random.rand(*x.shape) > self.p) / (1 - self.p)
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class Adam:
    def __init__(self, layers, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.layers, self.lr, self.b1, self.b2, self.eps, self.t = layers, lr, beta1, beta2, eps, 0
        self.m = [{k: np.zeros_like(v) for k, v in l.params.items()} for l in layers]
        self.v = [{k: np.zeros_like(v) for k, v in l.params.items()} for l in layers]

    def step(self):
        self.t += 1
        for layer, m, v in zip(self.layers, self.m, self.v):
            for k, g in layer.grads.items():
                m[k] = self.b1 * m[k] + (1 - self.b1) * g
                v[k] = self.b2 * v[k] + (1 - self.b2) * g * g
                m_hat = m[k] / (1 - self.b1 ** self.t)
                v_hat = v[k] / (1 - self.b2 ** self.t)
                layer.params[k] -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


class Model:
    def __init__(self, *layers):
        self.layers = layers

    def forward(self, x, training=False):
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, grad):
        for layer in reversed(self.layers):
            grad = layer.backward(grad)


def softmax_cross_entropy(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    n = len(labels)
    loss = -log_probs[np.arange(n), labels].mean()
    grad = np.exp(log_probs)
    grad[np.arange(n), labels] -= 1
    return loss, grad / n


X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X / 16, y, test_size=0.25, stratify=y, random_state=0)
model = Model(Dense(64, 96), ReLU(), Dropout(0.3), Dense(96, 48), ReLU(), Dropout(0.2), Dense(48, 10))
optimizer = Adam(model.layers, lr=2e-3)

for epoch in range(1, 31):
    idx = np.random.permutation(len(X_train))
    losses = []
    for batch in np.split(idx, range(64, len(idx), 64)):
        loss, grad = softmax_cross_entropy(model.forward(X_train[batch], training=True), y_train[batch])
        model.backward(grad)
        optimizer.step()
        losses.append(loss)
    if epoch % 5 == 0:
        val_loss, _ = softmax_cross_entropy(model.forward(X_val), y_val)
        val_acc = np.mean(model.forward(X_val).argmax(axis=1) == y_val)
        print(f"Epoch {epoch:2d} - val_loss: {val_loss:.4f} - val_acc: {val_acc:.4f}")
