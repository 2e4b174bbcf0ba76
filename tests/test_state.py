"""A run that is left at any step and taken up again ends with the same bits as one that was not."""

from typing import Any

import pytest
import torch

from byhand import recipe, weights
from byhand.data.dataset import Dataset
from byhand.data.load import load
from byhand.learner import Learner
from byhand.optim import Schedule, one_cycle
from byhand.settings import Settings
from byhand.state import State, get_state, set_state

KINDS: dict[str, dict[str, Any]] = {
    "linear": {},
    "momentum": {"momentum": 0.9, "init": "normal:0.1", "weight_decay": 1e-3},
    "adam and dropout": {"hidden": (12, 7), "dropout": 0.3, "opt": "adam"},
    "dropout": {"hidden": (9,), "dropout": 0.5, "momentum": 0.5},
    "batch norm and deformed": {
        "hidden": (9,),
        "batch_norm": True,
        "input_dropout": 0.2,
        "augment": True,
        "momentum": 0.9,
    },
}
EPOCHS = 3


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load("digits")


pytestmark = pytest.mark.usefixtures("one_thread")


class _Left(Exception):
    pass


def learner(data: Dataset, kind: str) -> Learner:
    return recipe.build(Settings(epochs=EPOCHS, batch_size=200, **KINDS[kind]).resolved(), data, quiet=True)[2]


def course() -> Schedule:
    return one_cycle(0.05)


def plain(history: list[dict[str, float | None]]) -> list[dict[str, float | None]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


@pytest.mark.parametrize("kind", KINDS)
def test_left_and_taken_up_at_each_step_it_ends_with_the_same_bits(data: Dataset, kind: str) -> None:
    whole = learner(data, kind)
    states: list[State] = []
    whole.cbs.append(lambda learn: states.append(get_state(learn)))
    whole.fit_schedule(EPOCHS, course())
    end = weights.snapshot(whole.model, {})
    assert len(states) == 1 + EPOCHS * (len(whole.dls.train) + 1)
    for state in states:
        again = learner(data, kind)
        torch.manual_seed(1)  # another past
        set_state(again, state)
        again.fit_schedule(EPOCHS, course(), done=state.epochs)
        assert all(torch.equal(end[name], p) for name, p in weights.snapshot(again.model, {}).items())
        assert plain(again.history) == plain(whole.history)
