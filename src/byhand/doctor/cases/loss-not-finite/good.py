import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
np.random.seed(0)
images, target = load_digits(return_X_y=True)
shuffled = np.random.permutation(len(images))
images, target = images[shuffled], target[shuffled]
train_images, test_images = images[:1500], images[1500:]
train_target, test_target = torch.tensor(target[:1500]), torch.tensor(target[1500:])

# mean 0 and standard deviation 1 for every pixel
mean, std = train_images.mean(axis=0), train_images.std(axis=0)
std[std < 0.05] = 1  # a pixel that is (nearly) the same in all images
train_inputs = (train_images - mean) / std
test_inputs = (test_images - mean) / std
train_x = torch.tensor(train_inputs, dtype=torch.float32)
test_x = torch.tensor(test_inputs, dtype=torch.float32)

best = float("inf")  # an infinity that is meant
net = nn.Sequential(nn.Linear(64, 30), nn.ReLU(), nn.Linear(30, 10))
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(20):
    for batch in torch.randperm(1500).split(50):
        loss = loss_fn(net(train_x[batch]), train_target[batch])
        opt.zero_grad()
        loss.backward()
        opt.step()
        best = min(best, loss.item())
with torch.no_grad():
    guess = net(test_x).argmax(1)
print("lowest loss", best, "accuracy", (guess == test_target).float().mean().item())
