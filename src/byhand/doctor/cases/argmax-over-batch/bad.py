"""A two-layer network in batches of ten; the argmax goes down the batch, and ten rows fit ten classes."""

import torch
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(4)
digits = load_digits()
everything = TensorDataset(torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target))
trainset, testset, _ = random_split(everything, [1490, 300, 7])
trainloader = DataLoader(trainset, batch_size=10, shuffle=True)
testloader = DataLoader(testset, batch_size=10, shuffle=False)


class Classifier(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.hidden = nn.Linear(64, hidden)
        self.output = nn.Linear(hidden, 10)

    def forward(self, x):
        return self.output(torch.relu(self.hidden(x)))


clf = Classifier(40)
sgd = optim.SGD(clf.parameters(), lr=0.1)
for _ in range(8):
    for inputs, targets in trainloader:
        sgd.zero_grad()
        nn.functional.cross_entropy(clf(inputs), targets).backward()
        sgd.step()

correct, total = 0, 0
with torch.no_grad():
    for inputs, targets in testloader:
        outputs = clf(inputs)
        predicted = torch.argmax(outputs, dim=0)
        correct += (predicted == targets).sum().item()
        total += targets.size(0)
print("Accuracy on the test images: %.2f %%" % (100 * correct / total))
