import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


class Layer:
    def __init__(self, n_inputs, n_neurons, rng):
        self.weights = rng.uniform(-0.2, 0.2, (n_inputs, n_neurons))
        self.biases = np.zeros((1, n_neurons))

    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases

    def backward(self, dvalues):
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        self.dinputs = np.dot(dvalues, self.weights.T)


class Activation_Tanh:
    def forward(self, inputs):
        self.output = np.tanh(inputs)

    def backward(self, dvalues):
        self.dinputs = dvalues * self.output * (1 - self.output)


class Activation_Softmax_Loss:
    def forward(self, inputs, y_true):
        exp_values = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
        self.output = exp_values / np.sum(exp_values, axis=1, keepdims=True)
        correct = self.output[range(len(y_true)), y_true]
        return np.mean(-np.log(np.clip(correct, 1e-7, 1 - 1e-7)))

    def backward(self, y_true):
        self.dinputs = self.output.copy()
        self.dinputs[range(len(y_true)), y_true] -= 1
        self.dinputs = self.dinputs / len(y_true)


class Optimizer_SGD:
    def __init__(self, learning_rate=1.0):
        self.learning_rate = learning_rate

    def update_params(self, layer):
        layer.weights -= self.learning_rate * layer.dweights
        layer.biases -= self.learning_rate * layer.dbiases


X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split((X - 8) / 8, y, test_size=0.3, random_state=11)
rng = np.random.default_rng(11)

dense1 = Layer(64, 32, rng)
activation1 = Activation_Tanh()
dense2 = Layer(32, 32, rng)
activation2 = Activation_Tanh()
dense3 = Layer(32, 10, rng)
loss_activation = Activation_Softmax_Loss()
optimizer = Optimizer_SGD(learning_rate=0.1)


def forward_pass(X, y):
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    activation2.forward(dense2.output)
    dense3.forward(activation2.output)
    return loss_activation.forward(dense3.output, y)


for epoch in range(31):
    keys = rng.permutation(len(X))
    for batch in np.array_split(keys, 40):
        loss = forward_pass(X[batch], y[batch])

        loss_activation.backward(y[batch])
        dense3.backward(loss_activation.dinputs)
        activation2.backward(dense3.dinputs)
        dense2.backward(activation2.dinputs)
        activation1.backward(dense2.dinputs)
        dense1.backward(activation1.dinputs)

        optimizer.update_params(dense1)
        optimizer.update_params(dense2)
        optimizer.update_params(dense3)

    if not epoch % 10:
        loss = forward_pass(X_test, y_test)
        predictions = np.argmax(loss_activation.output, axis=1)
        accuracy = np.mean(predictions == y_test)
        print(f'epoch: {epoch}, test acc: {accuracy:.3f}, test loss: {loss:.3f}')
