"""What there is where a data set can be trained on: the player, what is seen of it, and what is found beside it."""

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, final

from byhand.evaluate.run_data import is_usual
from byhand.learner import Learner
from byhand.play.asides import Asides
from byhand.play.controls import STARTS, Controls
from byhand.play.hub import Hub
from byhand.play.keeping import Kept, keep
from byhand.play.material import Material
from byhand.play.player import Player
from byhand.play.rows import Rows
from byhand.play.scene import Scene
from byhand.play.training import Training, make_learner

__all__ = ["Stage"]

_PATIENCE: Final = 0.4  # seconds that the first step of a start waits for the finder
_JOIN: Final = 0.9  # seconds that closing waits for the threads


@final
class Stage:
    """One data set's trainings, one after the other.

    Attributes:
        player: plays them.
    """

    def __init__(self, rows: Rows, material: Material, hub: Hub, tell: Callable[[], None]) -> None:
        """Begin, paused.

        Args:
            rows: the data.
            material: what is played.
            hub: who gets the frames.
            tell: called when the state changes by itself.
        """
        self._rows, self._material, self._tell = rows, material, tell
        self._beginning = material.beginning
        self._finder: tuple[float, float, float] | None = None
        self._finder_state = "finding"
        self._finder_key: object = None
        self.player = Player(self._show, tell)
        self._scene = Scene(rows, hub, self.player.turn)
        self._asides = Asides(
            rows.data, is_usual(material.settings), material.reading, self._found, tell, lambda: hub.listeners > 0
        )
        self.player.message = material.unlike
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
        return keep(self.kept(), self._rows, self._material.settings)

    def kept(self) -> Kept:
        """A copy of what the training is between two steps."""
        return self.player.visit(self._kept)

    def close(self) -> None:
        """End the threads and the process."""
        self.player.end()
        self._asides.end()
        until = time.monotonic() + _JOIN
        for thread in (self.player, self._asides):
            thread.join(max(0.0, until - time.monotonic()))

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
            is_rough=training.is_rough,
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
            if controls.lr is None and not self.player.training.begun:
                self.player.training.patience = time.perf_counter() + _PATIENCE

        def make(check: Callable[[], object]) -> Learner:
            return make_learner(controls, self._rows, beginning, (), check)

        self._asides.look(key, make)

    def _found(self, key: object, found: tuple[float, float, float] | str) -> None:
        """The finder's answer, by its thread."""
        with self.player.turn:
            if key != self._finder_key:
                return
            self.player.training.patience = 0.0
            self.player.turn.notify_all()
            if isinstance(found, str):
                self._finder_state = found
            else:
                self._finder, self._finder_state = found, "found"
                self.player.training.find(self.player.controls, found[0])
        self._tell()
