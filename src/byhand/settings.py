"""The choices of a training run: what each option of ``byhand train`` may be, and what it is when nobody says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, final, get_type_hints

from byhand.errors import DataError, UsageError
from byhand.text import brief

__all__ = ["MODELS", "OPTIMIZERS", "PRECISIONS", "SCHEDULES", "Settings"]

MODELS = ("linear", "mlp", "resnet18")
OPTIMIZERS = ("sgd", "adam")
SCHEDULES = ("constant", "flat-cos", "one-cycle")
PRECISIONS = ("float32", "bfloat16")

_OF_MLP = ("hidden", "dropout", "input_dropout", "batch_norm")
_OF_HIDDEN_LAYERS = (*_OF_MLP, "freeze")


@final
@dataclass(frozen=True, slots=True)
class Settings:
    """Every choice of a run, in the order in which it is met. ``None`` leaves the choice to ``resolved``."""

    model: str | None = None  # linear | mlp | resnet18
    hidden: tuple[int, ...] | None = None
    epochs: int | None = None
    lr: float | None = None
    batch_size: int = 256
    opt: str = "sgd"  # sgd | adam
    schedule: str | None = None  # constant | flat-cos | one-cycle
    momentum: float = 0.0
    weight_decay: float = 0.0
    dropout: float = 0.0
    input_dropout: float = 0.0
    batch_norm: bool = False
    augment: bool = False
    valid: float = 0.1
    seed: int = 42
    device: str = "auto"
    precision: str | None = None  # float32 | bfloat16, of products
    init: str | None = None  # zeros | normal:STD | kaiming
    weights: str | None = None  # a file | imagenet
    freeze: bool = False
    size: int | None = None
    grayscale: bool = False
    reproducible: bool = False
    save_every: int | None = None

    def resolved(self) -> Self:
        """The same with every open choice made.

        ``hidden`` alone asks for an MLP, and an MLP has 30 units unless told. The rate stays for three quarters of the
        run and then falls to zero, so that the noise of the last batches is averaged away; that of a ResNet-18 rises
        first, from a small one. The number of epochs stays open until the number of steps in one is known, and the
        precision of products until the device is.

        Raises:
            UsageError: a choice that does not exist, or two that exclude each other.
        """
        model = self.model or ("mlp" if self.hidden else "linear")
        _one_of("--model", model, MODELS)
        _one_of("--opt", self.opt, OPTIMIZERS)
        schedule = self.schedule or ("one-cycle" if model == "resnet18" else "flat-cos")
        _one_of("--schedule", schedule, SCHEDULES)
        if model == "linear":
            for name in _OF_HIDDEN_LAYERS:
                if getattr(self, name):
                    raise UsageError(
                        f"{_option(name)} is for hidden layers, and --model linear has none; leave one of the two out"
                    )
            if self.precision == "bfloat16":
                raise UsageError("--precision bfloat16 is for hidden layers, and --model linear has none; leave it out")
        if model == "resnet18":
            self._check_resnet()
        elif self.weights == "imagenet":
            raise UsageError("--weights imagenet is for --model resnet18; a file of that name is ./imagenet")
        if self.precision is not None:
            _one_of("--precision", self.precision, PRECISIONS)
        if model == "mlp" and self.init == "zeros":
            raise UsageError("--init zeros: hidden units that start alike stay alike; take kaiming or normal:STD")
        if self.momentum and self.opt == "adam":
            raise UsageError("--momentum is for --opt sgd; Adam has its own")
        _in_range("--epochs", self.epochs, 0, 1_000_000)
        _in_range("--batch-size", self.batch_size, 1, 2**31)
        _in_range("--lr", self.lr, 0, 1e6)
        _in_range("--momentum", self.momentum, 0, 0.999999)
        _in_range("--weight-decay", self.weight_decay, 0, 1e6)
        _in_range("--dropout", self.dropout, 0, 0.999999)
        _in_range("--input-dropout", self.input_dropout, 0, 0.999999)
        if self.batch_norm and self.batch_size == 1:
            raise UsageError("--batch-norm: one image has no variance; take a --batch-size of at least 2")
        _in_range("--seed", self.seed, 0, 2**63 - 1)
        _in_range("--save-every", self.save_every, 1, 2**63 - 1)
        for units in self.hidden or ():
            _in_range("--hidden", units, 1, 1_000_000)
        return replace(
            self,
            model=model,
            hidden=(self.hidden or (30,)) if model == "mlp" else (),
            schedule=schedule,
            init=self.init or ("zeros" if model == "linear" else "kaiming"),
        )

    def changed(self, given: Mapping[str, Any]) -> Self:
        """The same but for what is given; a new model or its layers leave what depends on them open again."""
        other = {"model", "hidden"} & given.keys()
        free = {name: getattr(type(self)(), name) for name in ("model", "init", *_OF_HIDDEN_LAYERS)} if other else {}
        if other or "device" in given:
            free["precision"] = None
        return replace(self, **{**free, **given})

    def _check_resnet(self) -> None:
        for name in _OF_MLP:
            if getattr(self, name):
                raise UsageError(f"{_option(name)} is for an MLP, and a resnet18 has layers of its own; leave it out")
        if self.init not in (None, "kaiming"):
            raise UsageError(f"--init {self.init}: a resnet18 starts from kaiming, or from --weights; leave it out")

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """The settings that a run's ``run.json`` holds.

        Raises:
            DataError: it holds none, or others than there are.
        """
        try:
            values: dict[str, Any] = dict(record["settings"])
            values["hidden"] = tuple(values["hidden"])
            if not all(type(units) is int for units in values["hidden"]):  # true is no number of units
                raise TypeError(f"hidden is {values['hidden']!r}")
            written = cls(**values)
            settings = written.resolved()
            if settings != written:  # what a run writes has all choices made
                raise ValueError("a choice is left open")
            for name, kind in get_type_hints(cls).items():
                _of_kind(name, getattr(settings, name), kind)
            return settings
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise DataError(
                f"run.json is damaged: its settings are not those of a run ({brief(error)}); train again"
            ) from error


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _one_of(option: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise UsageError(f"{option} {value}: choose {' or '.join(choices)}")


def _of_kind(name: str, value: object, kind: Any) -> None:
    """TypeError unless the value is of its kind; a whole number may stand for a float."""
    if name == "hidden":
        return
    if isinstance(value, bool):
        fits = isinstance(False, kind) and not isinstance(2, kind)  # to Python, true is a whole number too
    else:
        fits = isinstance(value, kind) or (isinstance(value, int) and isinstance(0.0, kind))
    if not fits:
        raise TypeError(f"{name} is {value!r}")


def _in_range(option: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise UsageError(f"{option} {value}: it must lie between {low:g} and {high:g}")
