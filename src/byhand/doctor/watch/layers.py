"""Dropout and batch norm: each way in which one ran, once, and the forwards that it ran in."""

import sys
from types import FrameType
from typing import Any, Final, final

from byhand.doctor.layers import Layer
from byhand.doctor.watch.drafts import ForwardDraft
from byhand.doctor.watch.frames import Frames

__all__ = ["Layers"]

_MOST: Final = 500


@final
class Layers:
    """All ways that were seen so far."""

    def __init__(self, frames: Frames) -> None:
        self.seen: list[Layer] = []
        self._index: dict[Layer, int] = {}
        self._frames = frames

    def ran(self, draft: ForwardDraft | None, name: str, noisy: Any) -> None:
        """A dropout or a batch norm is about to run in a forward."""
        if draft is None:
            return
        (draft.noisy if noisy else draft.fixed).add(name)
        around = _modules()
        own = around[0] if around and type(around[0]).__module__.startswith("torch.nn.modules.") else None
        model: Any = around[-1] if around else None
        kept = own is not None and (not noisy or model.training or any(part is own for part in model.modules()))
        mode = None if model is None else bool(model.training)
        module = None if own is None else type(own).__name__
        layer = Layer(name, self._frames.innermost(), bool(noisy), module, mode, kept)
        index = self._index.get(layer)
        if index is None:
            if len(self.seen) >= _MOST:
                return
            index = self._index[layer] = len(self.seen)
            self.seen.append(layer)
        draft.layers.add(index)


def _modules() -> list[Any]:
    """The torch modules that are being called, the innermost first."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    found: list[Any] = []
    while frame is not None:
        if frame.f_code.co_name == "_call_impl" and "self" in frame.f_locals:
            found.append(frame.f_locals["self"])
        frame = frame.f_back
    return found
