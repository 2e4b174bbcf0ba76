import numpy as np
import sklearn.datasets

np.random.seed(3)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(0, x)


def initialize(layer_dims):
    parameters = {}
    for l in range(1, len(layer_dims)):
        parameters['W%d' % l] = np.random.randn(layer_dims[l], layer_dims[l - 1]) * np.sqrt(2 / layer_dims[l - 1])
        parameters['b%d' % l] = np.zeros((layer_dims[l], 1))
    return parameters


def forward_propagation(X, parameters):
    Z1 = np.dot(parameters['W1'], X) + parameters['b1']
    A1 = relu(Z1)
    Z2 = np.dot(parameters['W2'], A1) + parameters['b2']
    A2 = relu(Z2)
    Z3 = np.dot(parameters['W3'], A2) + parameters['b3']
    A3 = sigmoid(Z3)
    return A3, (A1, A2)


def compute_cost(A3, Y):
    m = Y.shape[1]
    logprobs = -np.log(A3 + 1e-12) * Y - np.log(1 - A3 + 1e-12) * (1 - Y)
    return np.sum(logprobs) / m


def compute_cost_with_regularization(A3, Y, parameters, lambd):
    m = Y.shape[1]
    L2_regularization_cost = lambd / (2 * m) * sum(np.sum(np.square(parameters['W%d' % l])) for l in (1, 2, 3))
    return compute_cost(A3, Y) + L2_regularization_cost


def backward_propagation(X, Y, A3, cache, parameters):
    m = X.shape[1]
    A1, A2 = cache
    dZ3 = A3 - Y
    dW3 = 1. / m * np.dot(dZ3, A2.T)
    db3 = 1. / m * np.sum(dZ3, axis=1, keepdims=True)
    dZ2 = np.multiply(np.dot(parameters['W3'].T, dZ3), np.int64(A2 > 0))
    dW2 = 1. / m * np.dot(dZ2, A1.T)
    db2 = 1. / m * np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.multiply(np.dot(parameters['W2'].T, dZ2), np.int64(A1 > 0))
    dW1 = 1. / m * np.dot(dZ1, X.T)
    db1 = 1. / m * np.sum(dZ1, axis=1, keepdims=True)
    return {'W1': dW1, 'b1': db1, 'W2': dW2, 'b2': db2, 'W3': dW3, 'b3': db3}


def model(X, Y, learning_rate=0.3, num_iterations=3000, lambd=0.7):
    parameters = initialize([X.shape[0], 30, 15, 1])
    for i in range(num_iterations):
        A3, cache = forward_propagation(X, parameters)
        cost = compute_cost_with_regularization(A3, Y, parameters, lambd)
        grads = backward_propagation(X, Y, A3, cache, parameters)
        for key in parameters:
            parameters[key] = parameters[key] - learning_rate * grads[key]
        if i % 600 == 0:
            print('Cost after iteration {}: {}'.format(i, cost))
    return parameters


# noisy two-class problem, few rows: regularization matters here
X, y = sklearn.datasets.make_moons(n_samples=800, noise=0.35, random_state=3)
train_X, train_Y = X[:120].T, y[:120].reshape(1, -1)
test_X, test_Y = X[120:].T, y[120:].reshape(1, -1)
parameters = model(train_X, train_Y)
for name, a, b in (('training', train_X, train_Y), ('test', test_X, test_Y)):
    p = (forward_propagation(a, parameters)[0] > 0.5).astype(int)
    print('On the %s set, accuracy: %.3f' % (name, np.mean(p == b)))
