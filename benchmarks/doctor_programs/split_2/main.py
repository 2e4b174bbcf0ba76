import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split

from mynet import MyNet

torch.manual_seed(0)
digits = load_digits()
dataset = TensorDataset(torch.tensor(digits.data / 16.0, dtype=torch.float32), torch.tensor(digits.target))
train_set, val_set = random_split(dataset, [1437, 360])
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
val_loader = DataLoader(val_set, batch_size=90)

net = MyNet(64, 40, 10)
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

for epoch in range(20):
    net.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()
    net.eval()
    n_correct = 0
    with torch.no_grad():
        for x, y in val_loader:
            n_correct += (net(x).argmax(1) == y).sum().item()
    if epoch % 5 == 4:
        print(f"[{epoch + 1}/20] val accuracy: {100 * n_correct / len(val_set):.1f}%")
