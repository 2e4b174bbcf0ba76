"""The same classifier in scikit-learn: softmax regression is an MLPClassifier without hidden layers."""

import sys

import joblib
from mnist import read
from sklearn.metrics import accuracy_score, log_loss
from sklearn.neural_network import MLPClassifier

x, y = read()
parts = {"train": (x[:54000], y[:54000]), "valid": (x[54000:], y[54000:])}
model = MLPClassifier((), solver="sgd", batch_size=256, learning_rate_init=0.25, momentum=0.0)
for epoch in range(5):
    model.partial_fit(*parts["train"], classes=range(10))
    for name, (images, labels) in parts.items():
        probs = model.predict_proba(images)
        print(epoch, name, log_loss(labels, probs), accuracy_score(labels, probs.argmax(1)))
joblib.dump(model, sys.argv[1])
