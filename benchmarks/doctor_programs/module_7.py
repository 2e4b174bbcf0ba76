import torch
from torch import nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(77)


class LogLikelihoodLoss(nn.Module):
    """likelihood of the true class"""

    def forward(self, log_probs, y):
        picked = log_probs.gather(1, y.view(-1, 1))
        return picked.mean()


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(64, 40)
        self.b = nn.Linear(40, 10)
        self.log_softmax = nn.LogSoftmax(dim=1)

    def forward(self, x):
        return self.log_softmax(self.b(torch.sigmoid(self.a(x))))


data = load_digits()
x_tr, x_te, y_tr, y_te = train_test_split(data.data / 16, data.target, random_state=7)
x_tr, x_te = torch.tensor(x_tr).float(), torch.tensor(x_te).float()
y_tr, y_te = torch.tensor(y_tr), torch.tensor(y_te)

model, loss_function = Classifier(), LogLikelihoodLoss()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(30):
    for rows in torch.randperm(len(x_tr)).split(64):
        opt.zero_grad()
        loss = loss_function(model(x_tr[rows]), y_tr[rows])
        loss.backward()
        opt.step()
    with torch.no_grad():
        n_right = (model(x_te).argmax(1) == y_te).sum().item()
    if epoch % 10 == 9:
        print(f"after {epoch + 1} epochs: {n_right}/{len(y_te)}")
