"""A network that is made anew for the final training, after its optimizer was made."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(11)
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
labels = torch.tensor(digits.target)
order = torch.randperm(len(labels))
train, valid = order[:1400], order[1400:]


class ConvNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, padding=1)
        self.fc = nn.Linear(width * 16, 10)

    def forward(self, x):
        return self.fc(F.max_pool2d(F.relu(self.conv(x)), 2).flatten(1))


net = ConvNet()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)

# a smoke test before the training, which must not count
print("scores of one image:", net(images[:1]).shape)
net = ConvNet()

for epoch in range(10):
    net.train()
    for rows in train[torch.randperm(len(train))].split(50):
        loss = F.cross_entropy(net(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        right = net(images[valid]).argmax(1) == labels[valid]
    print(f"epoch {epoch}: valid accuracy {right.float().mean().item():.3f}")
