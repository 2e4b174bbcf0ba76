import numpy as np
import sklearn.datasets
import math


def initialize_parameters_he(layers_dims):
    np.random.seed(3)
    parameters = {}
    L = len(layers_dims) - 1
    for l in range(1, L + 1):
        parameters['W' + str(l)] = np.random.randn(layers_dims[l], layers_dims[l - 1]) * np.sqrt(2. / layers_dims[l - 1])
        parameters['b' + str(l)] = np.zeros((layers_dims[l], 1))
    return parameters


def relu(Z):
    return np.maximum(0, Z), Z


def softmax(Z):
    T = np.exp(Z - np.max(Z, axis=0, keepdims=True))
    return T / np.sum(T, axis=0, keepdims=True), Z


def linear_activation_forward(A_prev, W, b, activation):
    Z = np.dot(W, A_prev) + b
    linear_cache = (A_prev, W, b)
    if activation == "relu":
        A, activation_cache = relu(Z)
    elif activation == "softmax":
        A, activation_cache = softmax(Z)
    assert A.shape == (W.shape[0], A_prev.shape[1])
    return A, (linear_cache, activation_cache)


def L_model_forward(X, parameters):
    caches = []
    A = X
    L = len(parameters) // 2
    for l in range(1, L):
        A, cache = linear_activation_forward(A, parameters['W' + str(l)], parameters['b' + str(l)], "relu")
        caches.append(cache)
    AL, cache = linear_activation_forward(A, parameters['W' + str(L)], parameters['b' + str(L)], "softmax")
    caches.append(cache)
    return AL, caches


def compute_cost(AL, Y, parameters, lambd):
    m = Y.shape[1]
    cross_entropy = -np.sum(Y * np.log(AL + 1e-12)) / m
    L2 = sum(np.sum(np.square(parameters[k])) for k in parameters if k.startswith('W'))
    return cross_entropy + lambd / (2 * m) * L2


def linear_backward(dZ, cache, lambd):
    A_prev, W, b = cache
    m = A_prev.shape[1]
    dW = np.dot(dZ, A_prev.T) / m + lambd / m * W
    db = np.sum(dZ, axis=1, keepdims=True) / m
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db


def L_model_backward(AL, Y, caches, lambd):
    grads = {}
    L = len(caches)
    dZ = AL - Y
    for l in reversed(range(1, L + 1)):
        linear_cache, activation_cache = caches[l - 1]
        if l < L:
            dZ = np.array(dA, copy=True)
            dZ[activation_cache <= 0] = 0
        dA, grads['dW' + str(l)], grads['db' + str(l)] = linear_backward(dZ, linear_cache, lambd)
    return grads


def update_parameters(parameters, grads, learning_rate):
    for key in parameters:
        parameters[key] = parameters[key] - learning_rate * grads['d' + key]
    return parameters


def random_mini_batches(X, Y, mini_batch_size=64, seed=0):
    np.random.seed(seed)
    m = X.shape[1]
    permutation = list(np.random.permutation(m))
    shuffled_X = X[:, permutation]
    shuffled_Y = Y[:, permutation]
    mini_batches = []
    for k in range(math.ceil(m / mini_batch_size)):
        part = slice(k * mini_batch_size, (k + 1) * mini_batch_size)
        mini_batches.append((shuffled_X[:, part], shuffled_Y[:, part]))
    return mini_batches


def predict(X, y, parameters):
    probas, caches = L_model_forward(X, parameters)
    p = np.argmax(probas, axis=0)
    print("Accuracy: " + str(np.mean(p == y)))
    return p


def model(X, Y, layers_dims, learning_rate=0.15, lambd=0.5, num_epochs=40):
    parameters = initialize_parameters_he(layers_dims)
    seed = 10
    for i in range(num_epochs):
        seed = seed + 1
        costs = []
        for minibatch_X, minibatch_Y in random_mini_batches(X, Y, 70, seed):
            AL, caches = L_model_forward(minibatch_X, parameters)
            costs.append(compute_cost(AL, minibatch_Y, parameters, lambd))
            grads = L_model_backward(AL, minibatch_Y, caches, lambd)
            parameters = update_parameters(parameters, grads, learning_rate)
        if i % 10 == 0:
            print("Average cost of the mini batches in epoch %i: %f" % (i, np.mean(costs)))
    return parameters


digits = sklearn.datasets.load_digits()
np.random.seed(1)
order = np.random.permutation(digits.target.size)
X_all, y_all = digits.data[order].T / 16., digits.target[order]
train_X, test_X = X_all[:, :1400], X_all[:, 1400:]
train_y, test_y = y_all[:1400], y_all[1400:]
train_Y = np.eye(10)[train_y].T

parameters = model(train_X, train_Y, [64, 40, 20, 10])
print("On the training set:")
predictions_train = predict(train_X, train_y, parameters)
print("On the test set:")
predictions_test = predict(test_X, test_y, parameters)
