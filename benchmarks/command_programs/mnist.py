"""MNIST's training images as both programs read them: 54,000 to learn from, 6,000 to judge by."""

import gzip
import os
from pathlib import Path

import numpy as np


def _numbers(name, offset):
    packed = (Path(os.environ["BYHAND_DATA"]) / name).read_bytes()
    return np.frombuffer(gzip.decompress(packed), np.uint8, offset=offset)


def read():
    """Images (60,000, 784) from 0 to 1, labels (60,000,), in random order."""
    x = _numbers("train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    y = _numbers("train-labels-idx1-ubyte.gz", 8)
    order = np.random.default_rng(42).permutation(len(x))
    return (x[order] / 255).astype(np.float32), y[order].astype(np.int64)
