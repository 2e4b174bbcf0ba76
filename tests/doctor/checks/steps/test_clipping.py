"""Clipping that comes at the wrong moment or meets no gradient, and all that looks like it."""

from pathlib import Path

import pytest

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.steps.clipping import clipped_in_vain
from byhand.doctor.text.edits import apply
from byhand.doctor.text.reading import read_program

PROGRAM = """\
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
torch.manual_seed(0)
x, y = torch.rand(200, 8), torch.arange(200) % 3
model, other = nn.Linear(8, 3), nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loss_func = nn.CrossEntropyLoss()
for epoch in range(3):
    for i in range(0, 200, 50):
BODY
print((model(x).argmax(1) == y).float().mean().item())
"""
ZERO, BACK, STEP = "optimizer.zero_grad()", "loss.backward()", "optimizer.step()"
LOSS = "loss = loss_func(model(x[i : i + 50]), y[i : i + 50])"
RETURNED = "g = torch.autograd.grad(loss, list(model.parameters()))"
GIVEN = "for p, q in zip(model.parameters(), g): p.grad = q"
CLOSURE = (
    ZERO,
    "def closure():",
    f"    {LOSS}",
    f"    {BACK}",
    "    CLIP",
    "    return loss",
    "optimizer.step(closure)",
)
CLIP = "clip_grad_norm_(model.parameters(), 0.01)"


@pytest.fixture
def found(tmp_path: Path, watched):
    """What is said of the program with these lines in its loop."""

    def said(*body: str, before: str = ""):
        text = PROGRAM.replace("BODY", "\n".join(f"        {line}" for line in body)).replace(
            "loss_func =", before + "loss_func ="
        )
        trace = watched(text, folder=tmp_path)
        assert trace.end.how == "done", trace.end
        program = read_program(tmp_path / "main.py")
        return list(clipped_in_vain(Evidence(program, trace, audit(trace)))), program

    return said


@pytest.mark.parametrize(
    "clip",
    [
        CLIP,
        "nn.utils.clip_grad_norm_(list(model.parameters()), max_norm=0.01)",
        "clip_grad_value_(model.parameters(), 0.001)",
    ],
)
def test_after_the_step_its_line_is_moved_behind_the_backward_pass(found, clip: str):
    (one,), program = found(ZERO, LOSS, BACK, STEP, clip)
    assert (one.check, one.level, one.proof, one.place and one.place.line) == (
        "clipped-in-vain",
        "error",
        "arithmetic",
        15,
    )
    assert (
        one.saw
        == "each of the 12 calls came after the step that its gradients were for, and nothing used what it clipped"
    )
    assert "the limit is 0.0" in one.so
    assert one.instead == f"{BACK}\n{clip}"
    (text,) = apply(program, one.edits[0]).values()
    assert text == PROGRAM.replace("BODY", "\n".join(f"        {line}" for line in (ZERO, LOSS, BACK, clip, STEP)))


def test_before_the_backward_pass_there_is_nothing_to_clip(found):
    (one,), program = found(ZERO, CLIP, LOSS, BACK, STEP)
    assert one.saw == "each of the 12 calls came before the gradients were there, and nothing used what it clipped"
    (text,) = apply(program, one.edits[0]).values()
    assert text == PROGRAM.replace("BODY", "\n".join(f"        {line}" for line in (ZERO, LOSS, BACK, CLIP, STEP)))
    (one,), _ = found(LOSS, BACK, STEP, ZERO, CLIP)
    assert "before the gradients were there" in one.saw


def test_parameters_of_another_model_have_no_gradient(found):
    (one,), _ = found(ZERO, LOSS, BACK, "clip_grad_norm_(other.parameters(), 0.01)", STEP)
    assert one.saw == "none of the 2 arrays that it was given had a gradient, in 12 calls"
    assert one.edits == ()


def test_a_line_that_cannot_be_moved_is_told_of_and_left(found):
    for clip in (f"norm = {CLIP}", f"if i >= 0: {CLIP}", f"{CLIP}; n = 1"):
        (one,), _ = found(ZERO, LOSS, BACK, STEP, clip)
        assert (one.edits, one.instead) == ((), "call it between backward() and the step")


@pytest.mark.parametrize(
    "body",
    [
        (ZERO, LOSS, BACK, CLIP, STEP),
        (LOSS, BACK, CLIP, STEP, ZERO),
        (ZERO, LOSS, BACK, STEP, "clip_grad_norm_(model.parameters(), 1000.0)"),
        (ZERO, LOSS, BACK, STEP, "norm = clip_grad_norm_(model.parameters(), float('inf'))"),
        (LOSS, BACK, STEP, CLIP),  # the gradients go on: it scales what stays of them
        (LOSS, BACK, CLIP, "if i % 100:", f"    {STEP}", f"    {ZERO}"),  # added up over two batches
        (ZERO, LOSS, BACK, "if epoch:", f"    {CLIP}", STEP),
        (ZERO, LOSS, BACK, CLIP, STEP, "clip_grad_norm_(other.parameters(), 0.01)"),
        tuple(line.replace("CLIP", CLIP) for line in CLOSURE),
        (ZERO, LOSS, RETURNED, GIVEN, CLIP, STEP),
        (ZERO, "for p in model.parameters(): p.grad = torch.ones_like(p)", CLIP, STEP),
    ],
    ids=range(11),
)  # fmt: skip
def test_nothing_is_said_of_clipping_that_works_or_that_would_change_nothing(found, body: tuple[str, ...]):
    assert found(*body)[0] == []


def test_two_models_by_turns_are_left_alone(found):
    second = "second = torch.optim.SGD(other.parameters(), lr=0.1)\n"
    turn = LOSS.replace("model", "other")
    assert (
        found(ZERO, "second.zero_grad()", LOSS, BACK, turn, BACK, "second.step()", CLIP, STEP, before=second)[0] == []
    )


def test_each_call_is_written_down_as_it_was(watched):
    body = "\n".join(
        f"        {line}" for line in (ZERO, LOSS, BACK, CLIP, "clip_grad_value_(model.weight, 0.5)", STEP)
    )
    clips = watched(PROGRAM.replace("BODY", body)).clips
    assert [one.clock for one in clips[:4]] == [0, 0, 1, 1]
    norm, value = clips[0], clips[1]
    assert (norm.name, norm.limit, norm.fresh, norm.arrays, norm.gradients) == ("clip_grad_norm_", 0.01, True, 2, 2)
    assert norm.size is not None
    assert norm.size > 0.01
    assert (value.name, value.limit, value.arrays, value.gradients) == ("clip_grad_value_", 0.5, 1, 1)
    assert value.size is not None
    assert 0 < value.size < 0.01
