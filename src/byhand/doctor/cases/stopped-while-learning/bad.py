"""A network that is stopped after two epochs."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(10)
config = {"epochs": 2, "batch_size": 40, "lr": 0.5}

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X / 16, y, test_size=300, random_state=1)
train_ds = TensorDataset(torch.tensor(X_train, dtype=torch.float32), torch.tensor(y_train))
train_dl = DataLoader(train_ds, batch_size=config["batch_size"], shuffle=True)


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 10)])

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))
        return self.layers[-1](x)


net = Deep()
opt = torch.optim.SGD(net.parameters(), lr=config["lr"])

for epoch in range(config["epochs"]):
    for xb, yb in train_dl:
        loss = nn.functional.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
        opt.zero_grad()

with torch.inference_mode():
    val_preds = net(torch.tensor(X_val, dtype=torch.float32)).argmax(1)
print("val accuracy", (val_preds.numpy() == y_val).mean())
