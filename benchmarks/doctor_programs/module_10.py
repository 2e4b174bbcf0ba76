import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(21)
d = load_digits()
X = torch.tensor(d.images).float().unsqueeze(1) / 16
y = torch.tensor(d.target)
p = torch.randperm(len(y))
train_dl = DataLoader(TensorDataset(X[p[:300]], y[p[:300]]), batch_size=30, shuffle=True)
valid_dl = DataLoader(TensorDataset(X[p[300:]], y[p[300:]]), batch_size=256)


class SmallCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(12)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(24)
        self.drop = nn.Dropout(0.5)
        self.out = nn.Linear(24 * 2 * 2, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        return self.out(self.drop(x.flatten(1)))


def validate(model):
    model.eval()
    correct, loss_sum = 0, 0.0
    with torch.no_grad():
        for xb, yb in valid_dl:
            logits = model(xb)
            loss_sum += F.cross_entropy(logits, yb, reduction="sum").item()
            correct += (logits.argmax(1) == yb).sum().item()
    return loss_sum / len(valid_dl.dataset), correct / len(valid_dl.dataset)


model = SmallCNN()
opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
print("before training: loss %.3f acc %.3f" % validate(model))
for epoch in range(1, 21):
    for xb, yb in train_dl:
        opt.zero_grad()
        F.cross_entropy(model(xb), yb).backward()
        opt.step()
    if epoch % 4 == 0:
        val_loss, val_acc = validate(model)
        print(f"epoch {epoch}: val_loss {val_loss:.3f} val_acc {val_acc:.3f}")
