# ex4 of the machine learning course, from Octave to Python
import numpy as np
from sklearn.datasets import load_digits


def rand_initialize_weights(L_in, L_out):
    epsilon_init = 0.3
    return np.random.rand(L_out, 1 + L_in) * epsilon_init - epsilon_init


def add_ones(A):
    return np.column_stack((np.ones(A.shape[0]), A))


def relu(z):
    return np.maximum(z, 0)


def softmax(z):
    z = np.exp(z - z.max(axis=1).reshape(-1, 1))
    return z / z.sum(axis=1).reshape(-1, 1)


def nn_cost_function(Theta1, Theta2, X, Y, lam):
    m = X.shape[0]
    a1 = add_ones(X)
    z2 = a1 @ Theta1.T
    a2 = add_ones(relu(z2))
    h = softmax(a2 @ Theta2.T)
    J = -np.sum(Y * np.log(h)) / m
    J += lam / (2 * m) * (np.sum(Theta1[:, 1:] ** 2) + np.sum(Theta2[:, 1:] ** 2))
    delta3 = h - Y
    delta2 = (delta3 @ Theta2)[:, 1:] * (z2 > 0)
    Theta1_grad = delta2.T @ a1 / m
    Theta2_grad = delta3.T @ a2 / m
    Theta1_grad[:, 1:] += lam / m * Theta1[:, 1:]
    Theta2_grad[:, 1:] += lam / m * Theta2[:, 1:]
    return J, Theta1_grad, Theta2_grad


np.random.seed(31)
data = load_digits()
sel = np.random.permutation(1797)
X, y = data.data[sel] / 16, data.target[sel]
Y = (y[:, None] == np.arange(10)).astype(float)
X_train, Y_train, X_test, y_test = X[:1250], Y[:1250], X[1250:], y[1250:]

Theta1 = rand_initialize_weights(64, 30)
Theta2 = rand_initialize_weights(30, 10)
alpha = 0.5
for it in range(600):
    J, g1, g2 = nn_cost_function(Theta1, Theta2, X_train, Y_train, 0.01)
    Theta1 = Theta1 - alpha * g1
    Theta2 = Theta2 - alpha * g2
    if it % 100 == 0:
        print('Iteration %4d | Cost: %.6f' % (it, J))

pred = np.argmax(add_ones(relu(add_ones(X_test) @ Theta1.T)) @ Theta2.T, axis=1)
print('Test Set Accuracy: %.2f' % (np.mean(pred == y_test) * 100))
