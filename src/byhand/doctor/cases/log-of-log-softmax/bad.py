import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(1)
images, digits = load_digits(return_X_y=True)
mixed = torch.randperm(len(images))
images = torch.tensor(images, dtype=torch.float32)[mixed] / 16
digits = torch.tensor(digits)[mixed]
train_images, train_digits = images[:1400], digits[:1400]
test_images, test_digits = images[1400:], digits[1400:]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 48)
        self.fc2 = nn.Linear(48, 10)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        return F.log_softmax(self.fc2(x), dim=1)


def nll(output, target):
    picked = output[torch.arange(len(target)), target]
    return -torch.log(picked).mean()


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
for epoch in range(15):
    for batch in torch.randperm(1400).split(50):
        loss = nll(net(train_images[batch]), train_digits[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

net.eval()
with torch.no_grad():
    right = net(test_images).argmax(dim=1) == test_digits
print("test accuracy", right.float().mean().item())
