"""A training that a person plays: what the page asks of it, and what it tells the page."""

from dataclasses import asdict, replace
from typing import Any, Final, cast, final

import numpy as np

from byhand.errors import UsageError
from byhand.model import Sequential
from byhand.play.controls import shown
from byhand.play.hub import Hub
from byhand.play.keeping import model_of
from byhand.play.material import Material
from byhand.play.presets import PRESETS, find_preset
from byhand.play.rows import Rows
from byhand.play.stage import Stage

__all__ = ["Studio", "open_studio"]

_CALM: Final = 100.0  # steps a second at first: so few that one sees how the weights come about
_REPLAY: Final = 1000.0  # at least: a replay has thousands

_FIELDS: Final = {
    "play": (),
    "pause": (),
    "step": (),
    "reset": (),
    "set": ("controls",),
    "preset": ("id",),
    "save": (),
}


def open_studio(material: Material) -> "Studio":
    """A studio for what is to be played, calm enough at first for a person to follow."""
    return Studio(replace(material, controls=replace(material.controls, speed=_CALM)), Hub())


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
        self._stage: Stage | None = None
        if material.data is not None:
            self._stage = Stage(Rows(material.data), material, hub, self._tell)

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
                speed = stage.player.controls.speed
                controls = replace(find_preset(command["id"]).controls, speed=speed and max(speed, _REPLAY))
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

    def exported(self) -> str:
        """The weights as they are, as a page that draws and predicts without a server.

        Raises:
            UsageError: a model that such a page does not carry.
        """
        from byhand.export.digit_page import render

        record: dict[str, Any] = {"data": self._material.about}
        if self._stage is None:
            return render(self._material.model, record)
        kept = self._stage.kept()
        return render(model_of(kept), record | {"results": kept.row})

    def close(self) -> None:
        """End the threads and the process; again if one likes."""
        if self._stage is not None:
            self._stage.close()

    def _tell(self) -> None:
        if self.hub.listeners:
            self.hub.publish("state", self.state())


def _bytes(model: Sequential) -> bytes:
    return b"".join(p.detach().numpy().astype("<f4").tobytes() for p in model.parameters())
