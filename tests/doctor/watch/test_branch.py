"""Branches of a run: what they change and tell, and that the run itself goes on as if nothing had been."""

import os
import time

import numpy as np
import pytest

from byhand.doctor.watch.branch import end_branch, start
from byhand.doctor.watch.frames import Frames
from byhand.doctor.watch.recorder import Recorder


@pytest.fixture
def recorder():
    return Recorder(Frames())


def test_a_branch_changes_its_own_copy_and_tells(recorder):
    w = np.arange(3.0)
    branch = start(recorder, 10.0)
    if branch.inside:
        w += 1
        branch.tell(str(float(w.sum())).encode())
    assert branch.answer() == b"6.0"
    assert w.sum() == 3
    assert not recorder.branched


def test_a_long_answer_comes_whole(recorder):
    branch = start(recorder, 10.0)
    if branch.inside:
        branch.tell(bytes(3_000_000))
    assert branch.answer() == bytes(3_000_000)


def test_several_branches_at_once(recorder):
    branches = []
    for k in range(4):
        branches.append(start(recorder, 10.0))
        if branches[-1].inside:
            branches[-1].tell(bytes([k]))
    assert [branch.answer() for branch in branches] == [b"\0", b"\1", b"\2", b"\3"]


def test_a_branch_is_watched_and_ends_with_the_program(recorder):
    branch = start(recorder, 10.0)
    if branch.inside:
        if recorder.on and recorder.branched:
            end_branch(recorder)
        os._exit(1)
    process = branch._process
    assert branch.answer() is None
    with pytest.raises(ChildProcessError):
        os.waitpid(process, 0)
    end_branch(recorder)  # no branch: nothing happens


def test_a_branch_that_takes_too_long_is_ended(recorder):
    began = time.monotonic()
    branch = start(recorder, 0.3)
    if branch.inside:
        while True:
            pass
    assert branch.answer() is None
    assert time.monotonic() - began < 3


def test_what_a_branch_prints_is_not_seen(recorder, capfd):
    branch = start(recorder, 10.0)
    if branch.inside:
        os.write(1, b"nobody reads this")
        branch.tell(b"")
    assert branch.answer() == b""
    assert capfd.readouterr().out == ""


def test_torch_goes_on_in_a_branch(recorder):
    import torch

    a = torch.ones(300, 300) @ torch.ones(300, 300)  # a pool of threads, which a branch has not
    branch = start(recorder, 10.0)
    if branch.inside:
        branch.tell(str(float((a @ a).mean())).encode())
    assert branch.answer() == str(float((a @ a).mean())).encode()
