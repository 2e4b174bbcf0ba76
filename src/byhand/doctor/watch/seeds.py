"""Random numbers of a run: whether the program sets a seed, and the same seed, shifted, where a replay asks for it."""

import random
import sys
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from byhand.doctor.watch.recorder import Recorder

__all__ = ["moved", "set_seeds", "states", "watch_seeds"]


def set_seeds(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002, the program's own generator
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def states() -> dict[str, bytes]:
    """The state of each global generator that is there, by its library's name."""
    _, keys, position, _, _ = cast("tuple[str, Any, int, int, float]", np.random.get_state())  # noqa: NPY002
    found = {"random": repr(random.getstate()).encode(), "numpy": bytes(keys) + position.to_bytes(4, "little")}
    if "torch" in sys.modules:
        found["torch"] = sys.modules["torch"].get_rng_state().numpy().tobytes()
    return found


def moved(before: dict[str, bytes]) -> tuple[str, ...]:
    """The libraries whose global generator gave numbers since then."""
    now = states()
    return tuple(sorted(name for name, state in before.items() if now[name] != state))


def watch_seeds(recorder: Recorder) -> None:
    """Note when the program sets a seed, and add the recorder's ``shift`` to it; generators are the hooks' business."""

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def seed(*args: Any, **kwargs: Any) -> Any:
            first: Any = args[0] if args else kwargs.get("seed")
            if isinstance(first, int) or type(first).__module__ == "numpy":
                recorder.seeded = True
                if recorder.shift:
                    number: Any = int(first) + recorder.shift
                    if args:
                        args = (number, *args[1:])
                    else:
                        kwargs["seed"] = number
            return function(*args, **kwargs)

        return seed

    random.seed = watched(random.seed)
    np.random.seed = watched(np.random.seed)
    np.random.default_rng = watched(np.random.default_rng)
    if "torch" in sys.modules:
        torch: Any = sys.modules["torch"]
        torch.manual_seed = watched(torch.manual_seed)
        torch.random.manual_seed = watched(torch.random.manual_seed)
