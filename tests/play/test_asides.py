"""Beside the training: the finder's answer is its own, and the ceiling is found by a process that ends."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from byhand import recipe
from byhand.data.load import load
from byhand.evaluate.landmarks import find_landmarks
from byhand.learner import Learner
from byhand.lr_find.finder import auto_lr
from byhand.optim import constant
from byhand.play.asides import Asides
from byhand.play.controls import Controls
from byhand.play.rows import Rows
from byhand.play.training import make_learner
from byhand.settings import Settings
from tests.play._studios import image_folder, until


class Answers:
    """What is told."""

    def __init__(self, watched: bool) -> None:
        self.watched = watched
        self.found: dict[object, Any] = {}
        self.told = 0

    def asides(self, data: Any, usual: bool = True) -> Asides:
        return Asides(data, usual, (None, False), self.found.__setitem__, self.tell, lambda: self.watched)

    def tell(self) -> None:
        self.told += 1


def test_the_finder_answers_as_byhand_train_would() -> None:
    answers, data = Answers(watched=False), load("digits")
    asides = answers.asides(data)
    try:
        for key, hidden in (("linear", ()), ("network", (20,))):
            controls = Controls(hidden=hidden, init="kaiming" if hidden else "zeros", momentum=0.5)
            asides.look(key, lambda check, c=controls: make_learner(c, Rows(data), None, (), check))
            until(lambda key=key: key in answers.found)
            _, _, learn = recipe.build(Settings(hidden=hidden or None, momentum=0.5).resolved(), data, quiet=True)
            choice = auto_lr(learn, None, constant)
            assert answers.found[key] == (choice.lr, choice.low, choice.high)
        assert asides.ceiling_state == "finding"  # nobody looks, and it is not known
    finally:
        asides.end()
        asides.join(10)


def test_a_search_that_nobody_wants_any_more_is_given_up() -> None:
    answers, data = Answers(watched=False), load("digits")
    asides = answers.asides(data)
    rows, begun = Rows(data), list[object]()

    def slow(check: Any) -> Learner:
        begun.append(check)
        until(lambda: asides._wanted is not None)  # until another is asked for
        return make_learner(Controls(), rows, None, (), check)

    try:
        asides.look("old", slow)
        until(lambda: begun)
        asides.look("new", lambda check: make_learner(Controls(), rows, None, (), check))
        until(lambda: "new" in answers.found)
        assert set(answers.found) == {"new"}
    finally:
        asides.end()
        asides.join(10)


def test_the_ceiling_is_found_by_a_process_once_somebody_looks() -> None:
    answers, data = Answers(watched=True), load("digits")
    asides = answers.asides(data)
    try:
        until(lambda: asides.ceiling_state != "finding")
        best = find_landmarks(data).ceiling
        assert best is not None
        right = best.accuracy
        assert asides.ceiling == {"accuracy": right.value, "low": right.low, "high": right.high}
        assert (asides.ceiling_state, answers.told) == ("found", 1)
        asides = Answers(watched=False).asides(data)  # it is known now
        until(lambda: asides.ceiling_state == "found")
    finally:
        asides.end()
        asides.join(10)


def test_closing_ends_the_process() -> None:
    answers, data = Answers(watched=True), load("digits")
    asides = answers.asides(data)
    until(lambda: asides._process is not None)
    process = asides._process
    asides.end()
    asides.join(10)
    assert process is not None
    assert process.returncode is not None
    assert process.stdout is not None
    assert process.stdout.closed


def test_why_there_is_no_ceiling_is_said(tmp_path: Path) -> None:
    data = load(image_folder(tmp_path, 300, (30, 30), rows=2))
    answers = Answers(watched=True)
    asides = answers.asides(data)
    try:
        until(lambda: asides.ceiling_state != "finding")
        assert asides.ceiling is None
        assert "too many" in asides.ceiling_state
    finally:
        asides.end()
        asides.join(10)


@pytest.mark.parametrize(("source", "reason"), [("nowhere.csv", "nowhere.csv"), ("-c", "-c")])
def test_the_process_says_why_it_cannot(source: str, reason: str) -> None:
    command = [sys.executable, "-P", "-m", "byhand.play.ceiling", source, json.dumps([None, False])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    assert said["ceiling"] is None
    assert reason in said["reason"]
    assert done.stderr == ""
