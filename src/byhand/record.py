"""What a run remembers of itself: settings, data, versions, machine and result, as ``run.json`` holds them."""

import platform
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

import byhand
from byhand.data.dataset import Dataset
from byhand.data.drawing import ink_box
from byhand.data.shards import Sharded
from byhand.learner import Learner
from byhand.networks import Network
from byhand.settings import Settings

__all__ = ["describe", "machine", "record", "unlike"]

_SOME = 1000  # images of shards that stand for all


def record(
    settings: Settings, data: Dataset | Sharded, learn: Learner, lr: float, status: str, seconds: float
) -> dict[str, Any]:
    """What ``run.json`` holds of a run of one of our models; ``runs.train`` says what ``status`` may be."""
    return {
        "status": status,
        "settings": asdict(settings),
        "data": describe(data),
        "lr": lr,
        "parameters": sum(p.numel() for p in _parameters(learn)),
        "results": learn.history[-1] if learn.history else None,
        "stopped": learn.stopped,
        "seconds": seconds,
        **machine(learn),
        "test_openings": 0,
    }


def machine(learn: Learner) -> dict[str, Any]:
    """What the bits of a run hang on besides its settings and data."""
    device = _parameters(learn)[0].device
    return {
        "versions": {"byhand": byhand.__version__, "torch": torch.__version__, "numpy": np.__version__}
        | {"python": platform.python_version(), "platform": platform.platform()},
        "processes": learn.world.size,
        "threads": torch.get_num_threads(),
        "device": str(device),
        "cpu": torch.backends.cpu.get_cpu_capability(),  # what its kernels are compiled for
    }


def _parameters(learn: Learner) -> list[Tensor]:
    return list(cast(Network, learn.model).parameters())


def unlike(told: Mapping[str, Any], learn: Learner) -> list[str]:
    """In words, where this machine is not that of a run's record: what may cost a repetition its equal bits."""
    here = machine(learn)
    names = ["processes", "threads", "device", "cpu"]
    settings: dict[str, Any] = told.get("settings") or {}
    if settings.get("reproducible"):
        names.remove("threads")
    pairs = [(name, told.get(name), here[name]) for name in names if name in here]
    versions: dict[str, Any] = told.get("versions") or {}
    pairs += [(name, versions.get(name), here["versions"][name]) for name in ("byhand", "torch", "numpy")]
    return [f"{name} {now} and not {then}" for name, then, now in pairs if then is not None and then != now]


def describe(data: Dataset | Sharded) -> dict[str, Any]:
    """What a run remembers of its data: names, sizes, the hash, and how large a drawing is within an image."""
    return {
        "source": data.source,
        "train": len(data.train),
        "valid": len(data.valid),
        "test": len(data.test),
        "hash": data.hash,
        "classes": list(data.classes),
        "shape": list(data.shape),
        "ink_box": ink_box(data.train.images if isinstance(data, Dataset) else data.train.rows(0, _SOME).images),
    }
