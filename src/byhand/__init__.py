"""Write your classifier by hand. Know whether it is right.

The names below stand in the order in which data flows through them. Each is imported when it is first used, so that
``import byhand`` costs nothing and torch comes only with what needs it.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from byhand.data.dataset import Dataset, Part
    from byhand.data.load import load, open_data
    from byhand.data.loader import DataLoader, DataLoaders
    from byhand.data.shards import Sharded, Shards
    from byhand.errors import ByhandError, DataError, UsageError
    from byhand.layers import Dropout, Linear, ReLU, init_params
    from byhand.learner import Callback, Learner
    from byhand.loss import cross_entropy, log_softmax, nll_loss, softmax
    from byhand.metrics import Mean, accuracy
    from byhand.model import MLP, LinearClassifier, Sequential
    from byhand.norm import BatchNorm1d
    from byhand.optim import SGD, Adam, constant, flat_cos, one_cycle
    from byhand.resnet import ResNet18

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022
    "load", "Dataset", "Part", "open_data", "Sharded", "Shards",
    "DataLoader", "DataLoaders",
    "softmax", "log_softmax", "nll_loss", "cross_entropy",
    "init_params", "Linear", "ReLU", "Dropout", "BatchNorm1d", "Sequential", "LinearClassifier", "MLP", "ResNet18",
    "SGD", "Adam", "constant", "flat_cos", "one_cycle",
    "accuracy", "Mean",
    "Learner", "Callback",
    "ByhandError", "DataError", "UsageError",
]  # fmt: skip

_HOMES = {
    "byhand.data.load": ["load", "open_data"],
    "byhand.data.dataset": ["Dataset", "Part"],
    "byhand.data.shards": ["Sharded", "Shards"],
    "byhand.data.loader": ["DataLoader", "DataLoaders"],
    "byhand.loss": ["softmax", "log_softmax", "nll_loss", "cross_entropy"],
    "byhand.layers": ["init_params", "Linear", "ReLU", "Dropout"],
    "byhand.norm": ["BatchNorm1d"],
    "byhand.model": ["Sequential", "LinearClassifier", "MLP"],
    "byhand.resnet": ["ResNet18"],
    "byhand.optim": ["SGD", "Adam", "constant", "flat_cos", "one_cycle"],
    "byhand.metrics": ["accuracy", "Mean"],
    "byhand.learner": ["Learner", "Callback"],
    "byhand.errors": ["ByhandError", "DataError", "UsageError"],
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'byhand' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value  # the next look-up is a plain one
    return value


def load_ipython_extension(shell: object) -> None:
    """Give a notebook the magic ``%doctor``; ``%load_ext byhand`` calls this."""
    importlib.import_module("byhand.commands.magic").load(shell)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
