import numpy as np
from sklearn.datasets import make_circles
from sklearn.model_selection import train_test_split

X, y = make_circles(n_samples=1000, noise=0.08, factor=0.5, random_state=0)
y = y.reshape(-1, 1)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)


class NeuralNetwork():

    def __init__(self, layers=[2, 8, 8, 1], learning_rate=0.3, iterations=1500):
        self.params = {}
        self.learning_rate = learning_rate
        self.iterations = iterations
        self.loss = []
        self.layers = layers

    def init_weights(self):
        np.random.seed(1)
        for i in range(1, len(self.layers)):
            self.params['W' + str(i)] = np.random.randn(self.layers[i - 1], self.layers[i]) / np.sqrt(self.layers[i - 1])
            self.params['b' + str(i)] = np.zeros(self.layers[i])

    def sigmoid(self, Z):
        return 1 / (1 + np.exp(-Z))

    def entropy_loss(self, y, yhat):
        yhat = np.clip(yhat, 1e-10, 1 - 1e-10)
        return -np.mean(y * np.log(yhat) + (1 - y) * np.log(1 - yhat))

    def forward_propagation(self, X):
        Z1 = X.dot(self.params['W1']) + self.params['b1']
        Z2 = Z1.dot(self.params['W2']) + self.params['b2']
        Z3 = Z2.dot(self.params['W3']) + self.params['b3']
        yhat = self.sigmoid(Z3)
        self.params['Z1'], self.params['Z2'] = Z1, Z2
        return yhat

    def back_propagation(self, X, y, yhat):
        n = X.shape[0]
        dZ3 = (yhat - y) / n
        dZ2 = dZ3.dot(self.params['W3'].T)
        dZ1 = dZ2.dot(self.params['W2'].T)
        grads = {
            'W3': self.params['Z2'].T.dot(dZ3), 'b3': dZ3.sum(axis=0),
            'W2': self.params['Z1'].T.dot(dZ2), 'b2': dZ2.sum(axis=0),
            'W1': X.T.dot(dZ1), 'b1': dZ1.sum(axis=0),
        }
        for key, grad in grads.items():
            self.params[key] = self.params[key] - self.learning_rate * grad

    def fit(self, X, y):
        self.init_weights()
        for i in range(self.iterations):
            yhat = self.forward_propagation(X)
            self.loss.append(self.entropy_loss(y, yhat))
            self.back_propagation(X, y, yhat)

    def predict(self, X):
        return np.round(self.forward_propagation(X))

    def acc(self, y, yhat):
        return int(sum(y == yhat)[0] / len(y) * 100)


nn = NeuralNetwork()
nn.fit(X_train, y_train)
print("Loss: first {:.4f}, last {:.4f}".format(nn.loss[0], nn.loss[-1]))
print("Train accuracy is {}".format(nn.acc(y_train, nn.predict(X_train))))
print("Test accuracy is {}".format(nn.acc(y_test, nn.predict(X_test))))
