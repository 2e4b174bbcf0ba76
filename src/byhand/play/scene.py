"""What is seen of a training: it decides when a frame and a point of the curves are due, and makes them."""

import time
from collections import deque
from threading import Condition
from typing import Any, Final, cast, final

import torch

from byhand.layers import Linear
from byhand.play.controls import Controls
from byhand.play.curve import rounded
from byhand.play.faults import broadcast_accuracy
from byhand.play.frames import Judged, confusion, judge, pictures, strongest, worst
from byhand.play.hub import Hub
from byhand.play.rows import Rows
from byhand.play.training import Training, point_of

__all__ = ["Scene"]

_FRAME: Final = 1 / 30  # seconds between two frames, at least
_DETAILS: Final = 0.5  # and between two that show the confusion and the worst mistakes
_SPEED: Final = 1.0  # seconds over which the speed is measured
_SLICE: Final = 1024  # rows predicted at a time


@final
class Scene:
    """Frames of one data set's trainings. All is done by the training's thread, in the gap between two steps.

    Attributes:
        last: the newest frame that shows everything.
    """

    def __init__(self, rows: Rows, hub: Hub, turn: Condition) -> None:
        """Args: the data; who gets the frames; held while a curve changes, for it is read by other threads."""
        self.last: dict[str, Any] | None = None
        self._rows, self._hub, self._turn = rows, hub, turn
        self._shape = cast("tuple[int, int]", rows.judged.images.shape[1:])
        self._classes = len(rows.data.classes)
        self._samples: tuple[bool, Any] | None = None
        self._units: tuple[tuple[int, int], torch.Tensor] | None = None
        self._frame_due = self._details_due = 0.0
        self._step = -1  # of the last frame
        self._times = deque[tuple[float, int, int]]()  # of the last second: when, which start, how many steps by then

    def show(self, training: Training, controls: Controls, whole: bool) -> None:
        """Publish a frame, keep a point, or do nothing, as is due; with ``whole`` all of it, now."""
        now = time.perf_counter()
        watched = self._hub.listeners > 0
        is_new = training.step != self._step or training.row is not None
        frame_is_due = whole or (now >= self._frame_due and is_new)
        point_is_due = whole or training.curve.is_due(training.step, now, watched)
        if not frame_is_due and not point_is_due:
            return
        self._frame_due, self._step = now + _FRAME, training.step
        with_point = point_is_due or training.row is not None
        details = whole or (with_point and watched and now >= self._details_due)
        judged = self._judged(training, controls) if details else None
        point = self._point(training, controls, judged) if with_point else None
        if point is not None:
            with self._turn:
                training.curve.add(point, now, time.perf_counter() - now)
        if not watched and not whole:
            return
        frame = self._frame(training, now) | {"point": point, "confusion": None, "worst": None}
        if judged is not None:
            self._details_due = now + _DETAILS
            sample = self._samples_of(controls)[1]
            frame["confusion"] = confusion(sample.y, judged.preds, self._classes)
            frame["worst"] = worst(sample, judged, self._rows.judged.images)
        if whole:
            self.last = frame
            self._times.clear()  # a training that rests has no speed
        self._hub.publish("frame", frame)

    def _frame(self, training: Training, now: float) -> dict[str, Any]:
        first = next(layer for layer in training.model.layers if isinstance(layer, Linear))
        key = training.number, training.finished
        if self._units is None or self._units[0] != key:  # not at every frame: pictures should not change places
            self._units = key, strongest(first.weight)
        speed = self._speed(training, now)
        return {
            "run": training.number,
            "step": training.step,
            "epoch": training.finished,
            "part": training.part,
            "steps_per_second": speed,
            "images_per_second": speed * cast(Any, training.learn.dls.train).batch_size,
            "loss": training.loss,
            "pictures": pictures(first.weight, self._shape, self._units[1], len(training.model.sizes) > 2),
        }

    def _speed(self, training: Training, now: float) -> float:
        """Steps a second, over the last second; 0 until there is some time to tell by."""
        while self._times and (self._times[0][1] != training.number or now - self._times[0][0] > _SPEED):
            self._times.popleft()
        self._times.append((now, training.number, training.step))
        then, _, step = self._times[0]
        return (training.step - step) / (now - then) if now - then > _SPEED / 10 else 0.0

    def _point(self, training: Training, controls: Controls, judged: Judged | None) -> dict[str, Any]:
        row = training.row
        if row is not None:
            point = point_of(row, training.batches)
        else:
            train_sample, judged_sample = self._samples_of(controls)
            loss_func = training.learn.loss_func
            on_train = judge(training.model, loss_func, train_sample)
            has_valid = len(self._rows.data.valid) > 0
            on_valid = (judged or judge(training.model, loss_func, judged_sample)) if has_valid else None
            point = {
                "epoch": round(training.step / training.batches, 4),
                "step": training.step,
                "whole": False,
                "train_loss": rounded(on_train.loss),
                "valid_loss": rounded(on_valid.loss) if on_valid else None,
                "train_accuracy": rounded(on_train.accuracy),
                "valid_accuracy": rounded(on_valid.accuracy) if on_valid else None,
            }
        if controls.metric == "broadcast":
            point["printed_accuracy"] = rounded(self._printed(training, controls))
        return point

    def _printed(self, training: Training, controls: Controls) -> float:
        """What the seed's metric prints for the whole part: it depends on how the rows stand in their batches."""
        dl = cast(Any, training.learn.dls.valid or training.learn.dls.train)
        with torch.inference_mode():
            preds = [training.model(x).max(dim=1).indices for x in dl.x.split(_SLICE)]
        return broadcast_accuracy(torch.cat(preds), dl.y, controls.batch_size, self._classes)

    def _judged(self, training: Training, controls: Controls) -> Judged:
        return judge(training.model, training.learn.loss_func, self._samples_of(controls)[1])

    def _samples_of(self, controls: Controls) -> Any:
        if self._samples is None or self._samples[0] != controls.scaled:
            self._samples = controls.scaled, self._rows.samples(controls)
        return self._samples[1]
