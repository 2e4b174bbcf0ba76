# Assignment 3, originally done in MATLAB: one hidden layer, batch gradient descent with momentum.
# The samples are the COLUMNS of X.
import numpy as np
from numpy import zeros, tanh, exp, log, eye, dot
from sklearn.datasets import load_digits

rs = np.random.RandomState(3)
D = load_digits()
X = D.data.T / 16.           # 64 x m
y = D.target
p = rs.permutation(X.shape[1])
X = X[:, p]
y = y[p]
mTrain = 1200
Xtr = X[:, 0:mTrain];  ytr = y[0:mTrain]
Xts = X[:, mTrain:];   yts = y[mTrain:]
Ttr = eye(10)[:, ytr]        # 10 x m

nHid = 40
W1 = rs.randn(nHid, 64) * 0.15
b1 = zeros((nHid, 1))
W2 = rs.randn(10, nHid) * 0.15
b2 = zeros((10, 1))
V1 = zeros(W1.shape); c1 = zeros(b1.shape)
V2 = zeros(W2.shape); c2 = zeros(b2.shape)

alpha = 2e-4     # small, since J below is a sum over all samples
mu = 0.9
J_history = []
for it in range(400):
    # forward
    A1 = tanh(dot(W1, Xtr) + b1)
    Z2 = dot(W2, A1) + b2
    Z2 = Z2 - Z2.max(axis=0)
    P = exp(Z2) / exp(Z2).sum(axis=0)
    J = -(Ttr * log(P)).sum()
    J_history.append(J)
    # backward
    d2 = P - Ttr
    d1 = dot(W2.T, d2) * (1 - A1 ** 2)
    V2 = mu * V2 - alpha * dot(d2, A1.T)
    c2 = mu * c2 - alpha * d2.sum(axis=1, keepdims=True)
    V1 = mu * V1 - alpha * dot(d1, Xtr.T)
    c1 = mu * c1 - alpha * d1.sum(axis=1, keepdims=True)
    W2 = W2 + V2;  b2 = b2 + c2
    W1 = W1 + V1;  b1 = b1 + c1
    if it % 50 == 0:
        print('iteration %4d   J = %10.3f' % (it, J))

yhat = (dot(W2, tanh(dot(W1, Xts) + b1)) + b2).argmax(axis=0)
print('final cost      : %.3f' % J_history[-1])
print('test error rate : %.2f %%' % (100 * (yhat != yts).mean()))
