import torch.nn as nn


def block(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, n_out, bias=False), nn.BatchNorm1d(n_out), nn.ReLU())


class BNNet(nn.Module):
    def __init__(self, sizes=(64, 64, 32), classes=10):
        super().__init__()
        self.body = nn.Sequential(*[block(a, b) for a, b in zip(sizes, sizes[1:])])
        self.head = nn.Linear(sizes[-1], classes)

    def forward(self, x):
        return self.head(self.body(x))
