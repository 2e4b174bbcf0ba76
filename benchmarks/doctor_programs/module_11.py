import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn import datasets, model_selection

torch.manual_seed(100)
digits = datasets.load_digits()
X = torch.FloatTensor(digits.data / 16)
Y = torch.LongTensor(digits.target)
tr, te = model_selection.train_test_split(list(range(len(Y))), test_size=0.3, random_state=100)


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.fc1 = nn.Linear(64, 64)
        self.fc2 = nn.Linear(64, 32)
        self.fc3 = nn.Linear(32, 10)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.dropout(x, p=0.5)
        x = F.relu(self.fc2(x))
        x = F.dropout(x, p=0.5)
        return F.log_softmax(self.fc3(x), dim=1)


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.003)


def train(epoch):
    net.train()
    total_loss = 0
    for rows in torch.tensor(tr)[torch.randperm(len(tr))].split(64):
        optimizer.zero_grad()
        loss = F.nll_loss(net(X[rows]), Y[rows])
        loss.backward()
        optimizer.step()
        total_loss += loss * len(rows)
    if epoch % 10 == 0:
        print('Train Epoch: {} Loss: {:.4f}'.format(epoch, total_loss / len(tr)))


def test():
    net.eval()
    with torch.no_grad():
        output = net(X[te])
        test_loss = F.nll_loss(output, Y[te]).item()
        pred = output.argmax(dim=1, keepdim=True)
        correct = pred.eq(Y[te].view_as(pred)).sum().item()
    print('Test set: Average loss: {:.4f}, Accuracy: {}/{} ({:.1f}%)'.format(
        test_loss, correct, len(te), 100. * correct / len(te)))


for epoch in range(1, 41):
    train(epoch)
test()
