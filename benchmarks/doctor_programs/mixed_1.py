import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import shuffle

torch.manual_seed(0)

X, y = load_digits(return_X_y=True)
X = shuffle(X, random_state=1)
y = shuffle(y, random_state=2)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=5)
scaler = MinMaxScaler().fit(X_train)
X_train = scaler.transform(X_train).astype(np.float32)
X_test = scaler.transform(X_test).astype(np.float32)

model = torch.nn.Sequential(
    torch.nn.Linear(64, 32),
    torch.nn.ReLU(),
    torch.nn.Linear(32, 10),
)
loss_fn = torch.nn.CrossEntropyLoss()
opt = torch.optim.Adam(model.parameters(), lr=0.005)

Xt, yt = torch.from_numpy(X_train), torch.from_numpy(y_train)
for epoch in range(40):
    for rows in torch.randperm(len(Xt)).split(64):
        opt.zero_grad()
        loss = loss_fn(model(Xt[rows]), yt[rows])
        loss.backward()
        opt.step()

scores = model(torch.from_numpy(X_test)).detach().numpy()
y_pred = np.argsort(scores, axis=1)[:, 0]
print("accuracy on the test set:", accuracy_score(y_test, y_pred))
