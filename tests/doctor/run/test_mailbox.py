"""The mailbox: a line is taken once, and none is lost on the way."""

import json
from pathlib import Path

import pytest

from byhand.doctor.run import mailbox

LINE = {"clock": 3, "losses": [[2, 0.5]], "shown": [], "judged": [], "parameters": []}


def leave(folder: Path, text: str) -> None:
    (folder / mailbox.LINE).write_text(text, "utf-8")


def test_a_line_is_taken_once(tmp_path):
    leave(tmp_path, json.dumps(LINE))
    assert mailbox.take(tmp_path) == LINE
    assert mailbox.take(tmp_path) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{", json.dumps(LINE | {"clock": -1}), json.dumps(LINE | {"losses": 3}), "," * 100_000]
)
def test_what_no_run_has_left_is_taken_away(tmp_path, text):
    leave(tmp_path, text)
    assert mailbox.take(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_line_too_long_to_be_read_is_taken_away(tmp_path, monkeypatch):
    monkeypatch.setattr(mailbox, "_LONGEST", 10)
    leave(tmp_path, json.dumps(LINE))
    assert mailbox.take(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_comes_while_the_mailbox_is_found_empty_stays_there(tmp_path, monkeypatch):
    read = mailbox.read_at_most

    def read_and_then_it_comes(path, most):
        try:
            return read(path, most)
        finally:
            leave(tmp_path, json.dumps(LINE))

    monkeypatch.setattr(mailbox, "read_at_most", read_and_then_it_comes)
    assert mailbox.take(tmp_path) is None
    monkeypatch.undo()
    assert mailbox.take(tmp_path) == LINE
