# my first neural network!!! (softmax regression)
import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
x = digits.data / 16
y = np.zeros((len(x), 10))
for i in range(len(x)):
    y[i][digits.target[i]] = 1

np.random.seed(0)
w = np.zeros((64, 10))
b = np.zeros(10)


def softmax(a):
    return np.exp(a) / np.sum(np.exp(a), axis=1, keepdims=True)


def predict(x):
    return softmax(np.dot(x, w) + b)


learning_rate = 0.5
epochs = 30
for epoch in range(epochs):
    order = np.random.permutation(len(x))
    for i in range(0, len(x), 30):
        xb = x[order[i:i + 30]]
        yb = y[order[i:i + 30]]
        p = predict(xb)
        w = w - learning_rate * np.dot(xb.T, p - yb) / len(xb)
        b = b - learning_rate * np.mean(p - yb, axis=0)
    if epoch % 5 == 0:
        loss = -np.mean(np.log(np.sum(predict(x) * y, axis=1)))
        print("epoch:", epoch, "loss:", loss)

predictions = np.argmax(predict(x), axis=1)
accuracy = np.sum(predictions == digits.target) / len(x)
print("Accuracy of my network:", accuracy * 100, "%")
