"""What a run remembers of itself: settings, data, versions, machine and result, as ``run.json`` holds them."""

import platform
from dataclasses import asdict
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

import byhand
from byhand.data.dataset import Dataset
from byhand.data.drawing import ink_box
from byhand.learner import Learner
from byhand.model import Sequential
from byhand.settings import Settings

__all__ = ["describe", "record"]


def record(settings: Settings, data: Dataset, learn: Learner, lr: float, status: str, seconds: float) -> dict[str, Any]:
    """What ``run.json`` holds of a run of one of our models; ``recipe.train`` says what ``status`` may be."""
    parameters: list[Tensor] = cast(Sequential, learn.model).parameters()
    return {
        "status": status,
        "settings": asdict(settings),
        "data": describe(data),
        "lr": lr,
        "parameters": sum(p.numel() for p in parameters),
        "results": learn.history[-1] if learn.history else None,
        "stopped": learn.stopped,
        "seconds": seconds,
        "versions": {"byhand": byhand.__version__, "torch": torch.__version__, "numpy": np.__version__}
        | {"python": platform.python_version(), "platform": platform.platform()},
        "threads": torch.get_num_threads(),
        "processes": learn.world.size,
        "device": str(parameters[0].device),
        "test_openings": 0,
    }


def describe(data: Dataset) -> dict[str, Any]:
    """What a run remembers of its data: names, sizes, the hash, and how large a drawing is within an image."""
    return {
        "source": data.source,
        "train": len(data.train),
        "valid": len(data.valid),
        "test": len(data.test),
        "hash": data.hash,
        "classes": list(data.classes),
        "shape": list(data.train.images.shape[1:]),
        "ink_box": ink_box(data.train.images),
    }
