import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    def __init__(self, part):
        images, targets = load_digits(return_X_y=True)
        keep = [i for i in range(len(targets)) if (i % 5 == 4) == (part == "test")]
        self.images = torch.tensor(images[keep] / 16, dtype=torch.float32)
        self.targets = torch.tensor(targets[keep])

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, i):
        return self.images[i], self.targets[i]


def main():
    torch.manual_seed(2)
    train_loader = DataLoader(Digits("train"), batch_size=16, shuffle=True)
    test_loader = DataLoader(Digits("test"), batch_size=4)
    model = nn.Sequential(nn.Linear(64, 40), nn.Tanh(), nn.Linear(40, 10), nn.LogSoftmax(dim=1))
    loss_function = nn.NLLLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(8):
        for images, targets in train_loader:
            loss = loss_function(model(images), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    correct = total = 0
    with torch.no_grad():
        for images, targets in test_loader:
            predicted = model(images).argmax(1)
            correct += (predicted == targets).sum().item()
            total += len(targets)
    print(f"{correct} of {total}: {100 * correct / total:.1f} %")


if __name__ == "__main__":
    main()
