"""A network whose gradients are added up over four small batches on purpose, and zeroed after each step."""

import torch
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score
from torch import nn, optim

torch.manual_seed(5)
X, y = load_digits(return_X_y=True)
X = torch.as_tensor(X / 16.0, dtype=torch.float32)
y = torch.as_tensor(y)
X_train, X_test, y_train, y_test = X[:1300], X[1300:], y[:1300], y[1300:]


class Classifier(nn.Module):
    def __init__(self, n_hidden=48):
        super().__init__()
        self.fc1 = nn.Linear(64, n_hidden)
        self.fc2 = nn.Linear(n_hidden, 10)

    def forward(self, x):
        return self.fc2(self.fc1(x).relu())


def fit(model, epochs=25, batch_size=65):
    optimizer = optim.SGD(model.parameters(), lr=0.3)
    criterion = nn.CrossEntropyLoss()
    for _ in range(epochs):
        order = torch.randperm(len(X_train))
        for start in range(0, len(order), batch_size):
            for batch in order[start : start + batch_size].chunk(4):
                loss = criterion(model(X_train[batch]), y_train[batch]) / 4
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()


model = Classifier()
fit(model)
with torch.no_grad():
    predictions = model(X_test).argmax(dim=1).numpy()
print("accuracy_score:", accuracy_score(y_test.numpy(), predictions))
