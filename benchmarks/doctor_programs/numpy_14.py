# Logistic regression by gradient ascent on the log likelihood
import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

X, y = make_classification(n_samples=2000, n_features=12, n_informative=6, class_sep=1.2,
                           n_clusters_per_class=1, weights=[0.6], random_state=17)
y = y.reshape(-1, 1)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=17)

# first column of ones: the intercept
X_train = np.hstack([np.ones((X_train.shape[0], 1)), X_train])
X_test = np.hstack([np.ones((X_test.shape[0], 1)), X_test])


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def log_likelihood(X, y, theta):
    z = X @ theta
    return np.sum(y * z - np.logaddexp(0, z))


theta = np.zeros((X_train.shape[1], 1))
step = 0.0005
n_iter = 500
for i in range(n_iter):
    p = sigmoid(X_train @ theta)
    theta += step * X_train.T @ (y_train - p)
    if i % 100 == 99:
        print(f"iteration {i + 1}: log likelihood {log_likelihood(X_train, y_train, theta):.2f}")

y_pred = (sigmoid(X_test @ theta) >= 0.5).astype(int)
print("Accuracy on the test part:", np.mean(y_pred == y_test))
tp = np.sum((y_pred == 1) & (y_test == 1))
print("precision", tp / y_pred.sum(), "recall", tp / y_test.sum())
