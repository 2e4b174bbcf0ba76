"""A training that a person plays: what the page asks of it, and what it tells the page."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, cast, final

import numpy as np

from byhand.errors import UsageError
from byhand.learner import Learner
from byhand.model import Sequential
from byhand.play.asides import Asides
from byhand.play.controls import STARTS, Controls, shown
from byhand.play.hub import Hub
from byhand.play.keeping import Kept, keep
from byhand.play.material import Material, of_data, of_run
from byhand.play.player import Player
from byhand.play.presets import PRESETS, find_preset
from byhand.play.rows import Rows
from byhand.play.scene import Scene
from byhand.play.training import Training, make_learner

__all__ = ["Studio", "open_studio"]

_FIELDS: Final = {
    "play": (),
    "pause": (),
    "step": (),
    "reset": (),
    "set": ("controls",),
    "preset": ("id",),
    "save": (),
}


def open_studio(target: Path | None, source: str | None) -> "Studio":
    """A studio for a run's folder, or for a data set; with neither for MNIST where it is found, else for the digits.

    Args:
        target: a run's folder.
        source: what ``byhand.data.load.load`` takes; beside a run, the data to go on with.

    Raises:
        DataError, UsageError: the run or the data cannot be read.
    """
    return Studio(of_data(source) if target is None else of_run(target, source), Hub())


@final
class Studio:
    """One training, and its hub. Every method may be called from any thread.

    A run whose data are gone has no training; then the weights are all that there is.
    """

    def __init__(self, material: Material, hub: Hub) -> None:
        """Begin, paused.

        Args:
            material: what is played.
            hub: who is told of it.
        """
        self.hub = hub
        self._material = material
        self._saved: str | None = None
        self._stage: _Stage | None = None
        if material.data is not None:
            self._stage = _Stage(Rows(material.data), material, hub, self._tell)

    def state(self) -> dict[str, Any]:
        """Everything that a page needs that has just come: see the fields."""
        material, about = self._material, self._material.about
        labels = None if material.data is None else material.data.train.labels
        return {
            "mode": "train",
            "title": material.title,
            "data": {
                "source": about["source"],
                "classes": list(about["classes"]),
                "shape": list(about["shape"]),
                "ink_box": about["ink_box"],
                "train": about["train"],
                "valid": about["valid"],
            },
            "trainable": True if material.reason is None else material.reason,
            "controls": asdict(material.controls),
            "lr": material.controls.lr,
            "run": 1,
            "playing": False,
            "step": 0,
            "epoch": 0,
            "sizes": list(material.model.sizes),
            "finder": None,
            "finder_state": material.reason,
            "chance": None if labels is None else float(np.bincount(labels).max() / len(labels)),
            "ceiling": None,
            "ceiling_state": material.reason,
            "message": None,
            "presets": [preset.fields() for preset in PRESETS],
            "saved": self._saved,
            "history": [],
            "frame": None,
        } | ({} if self._stage is None else self._stage.fields())

    def do(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out a command.

        Raises:
            UsageError: no such command, a control that cannot have this value, or data that are gone.
            DataError: a run cannot be written.
        """
        what = command.get("do")
        if not isinstance(what, str) or what not in _FIELDS:
            raise UsageError(f"do {shown(what)}: there are {', '.join(_FIELDS)}")
        if set(command) != {"do", *_FIELDS[what]}:
            raise UsageError(f"{what} takes {' and '.join(_FIELDS[what]) or 'nothing more'}")
        stage = self._stage
        if stage is None:
            raise UsageError(f"there is nothing to train: {self._material.reason}")
        done: dict[str, Any] = {"ok": True}
        match what:
            case "play" | "pause":
                stage.player.play(what == "play")
            case "step":
                stage.player.step()
            case "reset":
                stage.restart(stage.player.controls, playing=False)
            case "set":
                given: Any = command["controls"]
                if not isinstance(given, dict):
                    raise UsageError(f"controls {shown(given)}: give an object of the controls to change")
                stage.set(cast("dict[str, Any]", given))
            case "preset":
                controls = replace(find_preset(command["id"]).controls, speed=stage.player.controls.speed)
                stage.restart(controls, playing=True)
            case _:
                self._saved = str(stage.keep())
                done["saved"] = self._saved
        self._tell()
        return done

    def weights(self) -> bytes:
        """float32, little-endian: W1 (O × I), b1, W2, b2, …, as they are between two steps."""
        if self._stage is None:
            return _bytes(self._material.model)
        stage = self._stage
        return stage.player.visit(lambda: _bytes(stage.player.training.model))

    def close(self) -> None:
        """End the threads and the process; again if one likes."""
        if self._stage is not None:
            self._stage.close()

    def _tell(self) -> None:
        if self.hub.listeners:
            self.hub.publish("state", self.state())


@final
class _Stage:
    """What there is where a data set can be trained on: the player, what is seen of it, and what is found beside it."""

    def __init__(self, rows: Rows, material: Material, hub: Hub, tell: Callable[[], None]) -> None:
        self._rows, self._material, self._tell = rows, material, tell
        self._beginning = material.beginning
        self._finder: tuple[float, float, float] | None = None
        self._finder_state = "finding"
        self._finder_key: object = None
        self.player = Player(self._show, tell)
        self._scene = Scene(rows, hub, self.player.turn)
        self._asides = Asides(
            rows.data, material.is_usual, material.reading, self._found, tell, lambda: hub.listeners > 0
        )
        self.player.begin(self._training(1, material.controls), material.controls)
        self._look()

    def fields(self) -> dict[str, Any]:
        """Of the state, what the training decides."""
        player = self.player
        with player.turn:
            training, controls = player.training, player.controls
            frame = self._scene.last
            return {
                "controls": asdict(controls),
                "lr": training.lr(controls),
                "run": training.number,
                "playing": player.playing,
                "step": training.step,
                "epoch": training.finished,
                "sizes": list(training.model.sizes),
                "finder": None if self._finder is None else dict(zip(("lr", "low", "high"), self._finder, strict=True)),
                "finder_state": self._finder_state,
                "ceiling": self._asides.ceiling,
                "ceiling_state": self._asides.ceiling_state,
                "message": player.message,
                "history": list(training.curve.points),
                "frame": frame if frame is not None and frame["run"] == training.number else None,
            }

    def set(self, given: dict[str, Any]) -> None:
        """Change some controls: at once, or by a new start that is played if the old one was."""
        player = self.player
        with player.turn:
            old = player.controls
            new = old.changed(given, self._material.room)
            if any(getattr(new, name) != getattr(old, name) for name in STARTS):
                self.restart(new, player.playing)
            else:
                player.choose(new)
                self._look()

    def restart(self, controls: Controls, playing: bool) -> None:
        """A new start, from the weights that ``init`` says."""
        player = self.player
        room = self._material.room
        with player.turn:
            controls = replace(controls, batch_size=min(controls.batch_size, room.rows))
            self._beginning = None
            player.put(self._training(player.training.number + 1, controls), controls, playing)
            self._look()

    def keep(self) -> Path:
        """Write a run of the weights as they are."""
        return keep(self.player.visit(self._kept), self._rows, self._material.settings)

    def close(self) -> None:
        self.player.close()
        self._asides.close()

    def _training(self, number: int, controls: Controls) -> Training:
        learn = make_learner(controls, self._rows, self._beginning, [self.player.after], self.player.check)
        return Training(number, learn, self._beginning)

    def _show(self, training: Training, controls: Controls, whole: bool) -> None:
        self._scene.show(training, controls, whole)

    def _kept(self) -> Kept:
        training, controls = self.player.training, self.player.controls
        return Kept(
            controls=controls,
            weights=training.kept(),
            history=list(training.learn.history),
            row=training.row,
            finished=training.finished,
            part=training.part,
            lr=training.lr(controls),
            seconds=training.seconds,
        )

    def _look(self) -> None:
        """Have the finder look for the rate of this start, unless it did."""
        with self.player.turn:
            controls, beginning = self.player.controls, self._beginning
            key = replace(controls, lr=None, metric="rows", stop_after=0, speed=0.0), beginning is None
            if key == self._finder_key:
                if self._finder is not None:
                    self.player.training.find(controls, self._finder[0])
                return
            self._finder_key, self._finder, self._finder_state = key, None, "finding"

        def make(check: Callable[[], object]) -> Learner:
            return make_learner(controls, self._rows, beginning, (), check)

        self._asides.look(key, make)

    def _found(self, key: object, found: tuple[float, float, float] | str) -> None:
        """The finder's answer, by its thread."""
        with self.player.turn:
            if key != self._finder_key:
                return
            if isinstance(found, str):
                self._finder_state = found
            else:
                self._finder, self._finder_state = found, "found"
                self.player.training.find(self.player.controls, found[0])
        self._tell()


def _bytes(model: Sequential) -> bytes:
    return b"".join(p.detach().numpy().astype("<f4").tobytes() for p in model.parameters())
