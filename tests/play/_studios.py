"""A studio for tests: on the small digits, with a hub that writes down what it is told."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from byhand.json_text import json_text
from byhand.play.material import Material, of_data
from byhand.play.studio import Studio

PATIENCE = 60  # seconds after which a test gives up waiting


class Listener:
    """A hub with one tab that reads everything."""

    def __init__(self, listeners: int = 1) -> None:
        self.listeners = listeners
        self.events: list[tuple[str, Any]] = []

    def publish(self, event: str, data: dict[str, Any]) -> None:
        self.events.append((event, json.loads(json_text(data))))

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [data for event, data in list(self.events) if event == "frame"]

    @property
    def states(self) -> list[dict[str, Any]]:
        return [data for event, data in list(self.events) if event == "state"]


@contextmanager
def studio(material: Material | str = "digits", listeners: int = 1, **controls: Any) -> Iterator[Studio]:
    """A studio with these controls, closed at the end."""
    made = Studio(of_data(material) if isinstance(material, str) else material, Listener(listeners))  # type: ignore[arg-type]
    try:
        if controls:
            made.do({"do": "set", "controls": controls})
        yield made
    finally:
        made.close()


def until(condition: Callable[[], object]) -> None:
    """Wait for it."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.002)


def played(made: Studio) -> dict[str, Any]:
    """Play until it pauses by itself; the state then."""
    made.do({"do": "play"})
    until(lambda: not made.state()["playing"])
    return made.state()


def at_rest(made: Studio) -> dict[str, Any]:
    """The state once the thread rests and has shown all."""
    until(lambda: (frame := made.state()["frame"]) is not None and frame["step"] == made.state()["step"])
    return made.state()


def numbers(made: Studio) -> torch.Tensor:
    """All weights in one row."""
    return torch.from_numpy(np.frombuffer(made.weights(), "<f4").copy())


def flat(parameters: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in parameters])


def image_folder(folder: Path, classes: int, shape: tuple[int, int], rows: int = 3) -> str:
    """An NPZ file of random pictures, as a source."""
    rng = np.random.default_rng(0)
    file = folder / f"random-{classes}-{shape[0]}-{shape[1]}.npz"
    n = classes * rows
    images = rng.integers(0, 256, (n, *shape)).astype(np.uint8)
    labels = np.arange(n) % classes
    np.savez(file, x_train=images, y_train=labels, x_test=images[:classes], y_test=labels[:classes])
    return str(file)
