"""The edit that clips gradients: a line before the optimizer's step, or the gradient in an update by hand."""

import ast
import re

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.updates import optimizer_step
from byhand.doctor.finding import Edit
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Unit
from byhand.doctor.text.tree import path_to
from byhand.doctor.trace import Training

__all__ = ["clipped"]


def clipped(evidence: Evidence, training: Training) -> Edits:
    """Clip each gradient to a length of 1, right before it is used; () where the update's text does not tell how."""
    program, place = evidence.program, training.place
    unit = program.unit(place) if place else None
    if place is None or unit is None:
        return ()
    optimizer, call = optimizer_step(program, place)
    if call is None:
        return _by_hand(evidence, unit, place)
    function = _function(unit)
    if not function or call.args or call.keywords:
        return ()  # step(closure) makes its gradients itself; scaler.step(optimizer) has scaled ones
    arrays = f'[p for group in {optimizer}.param_groups for p in group["params"]]'
    added = edits.insert_line(program, place, f"{function}({arrays}, 1.0)", after=False)
    return (added,) if added else ()


def _function(unit: Unit) -> str:
    """``clip_grad_norm_`` under a name that the program's imports give it; "" where none does."""
    if re.search(r"^import torch(?:\s*$|\s*[,#]|\.(?!.* as ))", unit.code, re.MULTILINE):
        return "torch.nn.utils.clip_grad_norm_"
    if re.search(r"^(?:from torch import .*\bnn\b|import torch\.nn as nn\b)", unit.code, re.MULTILINE):
        return "nn.utils.clip_grad_norm_"
    return ""


def _by_hand(evidence: Evidence, unit: Unit, place: Place) -> Edits:
    """``W -= rate * g``, in all such statements of its block."""
    path = path_to(unit, edits.statement(evidence.program, place))
    found: list[Edit] = []
    for statement in path[-1][0] if path else ():
        match statement:
            case ast.AugAssign(
                op=ast.Sub(),
                value=ast.BinOp(
                    left=ast.Name() | ast.Attribute() | ast.Constant(),
                    op=ast.Mult(),
                    right=ast.Name() | ast.Attribute() | ast.Subscript() as gradient,
                ),
            ):
                text = ast.unparse(gradient)
                length = (
                    f"{text}.norm().clamp(min=1)" if evidence.trace.backwards else f"max(1, np.linalg.norm({text}))"
                )
                found.append(edits.replace(unit.place(gradient), f"{text} / {length}"))
            case _:
                pass
    known = evidence.trace.backwards or re.search(r"^import numpy as np\b", unit.code, re.MULTILINE)
    return tuple(found) if known else ()
