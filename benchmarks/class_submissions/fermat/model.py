from torch import nn


def make(inputs):
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 10))
