"""A graph that is cut between the parameters and the loss: no gradient comes to what stands before the cut."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.calls import bracketed, last_name, ran
from byhand.doctor.checks.reading.tapes import Reading, readings
from byhand.doctor.checks.reading.updates import is_fine_tuned, own_name, was_missed
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.trace import Backward

__all__ = ["detached_loss"]

_FEW: Final = 3  # backward passes
_METHODS: Final = frozenset({"detach", "item", "numpy", "tolist", "detach_", "clone"})
_MAKERS: Final = frozenset({"tensor", "as_tensor", "from_numpy", "Variable", "FloatTensor", "Tensor", "Parameter"})
_OFF: Final = frozenset({"no_grad", "inference_mode", "set_grad_enabled"})


@final
@dataclass(frozen=True, slots=True)
class _Cut:
    """Where the graph is cut, in what words, and the code without."""

    place: Place
    words: str
    instead: str
    fix: Edits


def detached_loss(evidence: Evidence) -> Iterator[Finding]:
    """Parameters that an optimizer holds and the model uses, and that no backward pass reaches."""
    trace = evidence.trace
    learning = [b for b in trace.backwards if b.place is not None]
    if len(learning) < _FEW or not any(o.steps for o in trace.optimizers):
        return
    walked = [b for b in learning if b.parameters]
    learnt_from = {f.training for f in trace.forwards if f.kind == "train"}
    cut_off = [
        i
        for i, p in enumerate(trace.parameters)
        if p.training in learnt_from and p.optimizer is not None and p.used and was_missed(trace, i, walked)
    ]
    held = [p for p in trace.parameters if p.optimizer is not None and not p.frozen]
    if not cut_off:
        return
    if any(p.changed or p.reached for p in held):
        yield from _of_a_part(evidence, cut_off, walked)
    elif not any(p.reached for p in trace.parameters if not p.frozen and p.optimizer is None and len(p.shape) > 1):
        yield from _of_all(evidence, cut_off, learning)


def _of_all(evidence: Evidence, cut_off: Sequence[int], learning: list[Backward]) -> Iterator[Finding]:
    program, trace = evidence.program, evidence.trace
    # Every pass was given scores of the model, and was walked: it led to none of its parameters.
    if any(b.forward is None or trace.forwards[b.forward].kind != "train" for b in learning[:_FEW]):
        return
    cut = _in_definition(evidence, learning[0]) or _switched_off(evidence, learning[0])
    if cut is None:
        return
    steps = max(o.steps for o in trace.optimizers)
    names = ", ".join(dict.fromkeys(own_name(program, trace.parameters[i]) for i in cut_off[:3]))
    yield Finding(
        "detached-loss",
        "error",
        cut.place,
        saw=f"{len(learning):,} backward passes, and no gradient came to {names or 'any parameter'}: {cut.words}; after"
        f" {steps:,} steps they are the same to the bit",
        so="nothing is learnt: the model is the one that it was at the start",
        instead=cut.instead,
        proof="arithmetic",
        edits=(cut.fix,) if cut.fix else (),
    )


def _of_a_part(evidence: Evidence, cut_off: Sequence[int], walked: list[Backward]) -> Iterator[Finding]:
    program, trace = evidence.program, evidence.trace
    if is_fine_tuned(program, trace):
        return  # what was learnt elsewhere is left as it is, on purpose
    cut = _on_tape(evidence, cut_off)
    if cut is None:
        return
    names = ", ".join(dict.fromkeys(own_name(program, trace.parameters[i]) for i in cut_off[:3]))
    more = f" and {len(cut_off) - 3} more" if len(cut_off) > 3 else ""
    yield Finding(
        "detached-loss",
        "warning",
        cut.place,
        saw=f"no gradient ever came to {names}{more}, which the optimizer holds: {cut.words}",
        so=f"a part of the model is not trained: it is the same to the bit after {trace.trainings[-1].last:,} updates",
        instead=cut.instead,
        edits=(cut.fix,) if cut.fix else (),
        needs_proof=bool(cut.fix),
    )


# Where the cut is.


def _on_tape(evidence: Evidence, cut_off: Sequence[int]) -> _Cut | None:
    """The first operation after the parameters, in a forward that was learnt from, whose words cut the graph."""
    program = evidence.program
    for reading in readings(evidence.trace):
        if not reading.train and not _has_graph(reading):
            continue
        mine = {i for i, value in enumerate(reading.tape.values) if value.parameter in cut_off}
        reached = set[int]().union(*(reading.leads_to(i) for i in mine)) if mine else set[int]()
        for op in reading.tape.ops if reading.train else ():
            if op.place is None or op.output not in reached:
                continue
            unit = program.unit(op.place)
            off = _block_without(program, op.place)
            if off is not None:
                return off
            nodes = program.nodes(op.place, ast.expr)[:1] if unit and op.name == "view" else []
            cut = _cut_of(program, unit, nodes[0]) if unit and nodes else None
            if cut is not None and cut.place == op.place:
                return cut
        last = next((op.place for op in reversed(reading.tape.ops) if op.place and op.output in reached), None)
        cut = _through_numpy(evidence, last) if last is not None else None
        if cut is not None:
            return cut
    return None


def _has_graph(reading: Reading) -> bool:
    """Whether autograd recorded a forward: what goes on from its values through NumPy is another forward."""
    return reading.forward is not None and reading.forward.grad


def _through_numpy(evidence: Evidence, last: Place) -> _Cut | None:
    """A tensor that is made anew, after the last operation that the parameters led to and in the same function."""
    program = evidence.program
    unit = program.unit(last)
    function = program.nodes(last, ast.FunctionDef)
    for node in ast.walk(function[0] if function else ast.Module([], [])) if unit else ():
        if unit and isinstance(node, ast.Call) and last_name(node.func) in _MAKERS and node.lineno >= last.line:
            cut = _cut_of(program, unit, node) if ran(evidence.trace, unit.place(node)) else None
            if cut is not None:
                return cut
    return None


def _in_definition(evidence: Evidence, backward: Backward) -> _Cut | None:
    """The cut in the lines that make what backward() is called on, and in the lines that make their names."""
    program = evidence.program
    unit = program.unit(backward.place) if backward.place else None
    calls = program.nodes(backward.place, ast.Call) if backward.place else []
    if unit is None or not calls or not isinstance(calls[0].func, ast.Attribute):
        return None
    names, seen = [node.id for node in ast.walk(calls[0].func.value) if isinstance(node, ast.Name)], set[str]()
    while names and len(seen) < 8:
        name = names.pop(0)
        if name in seen:
            continue
        seen.add(name)
        for node in ast.walk(unit.tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if not isinstance(node, ast.Assign) or not any(ast.unparse(target) == name for target in targets):
                continue
            if not ran(evidence.trace, unit.place(node)):
                continue
            cut = next(
                (
                    found
                    for inner in ast.walk(node.value)
                    if isinstance(inner, ast.expr) and (found := _cut_of(program, unit, inner))
                ),
                None,
            )
            if cut is not None:
                return cut
            names += [inner.id for inner in ast.walk(node.value) if isinstance(inner, ast.Name)]
    return None


def _switched_off(evidence: Evidence, backward: Backward) -> _Cut | None:
    """The ``with torch.no_grad():`` around the forward, where one is written."""
    forward = evidence.trace.forwards[backward.forward] if backward.forward is not None else None
    if forward is None or forward.grad:
        return None
    for place in forward.stack:
        found = _block_without(evidence.program, place)
        if found is not None:
            return found
    return None


def _block_without(program: Program, place: Place) -> _Cut | None:
    unit = program.unit(place)
    for block in program.nodes(place, ast.With):
        for item in block.items:
            call = item.context_expr
            if isinstance(call, ast.Call) and last_name(call.func) in _OFF and unit and not _says_true(call):
                at = unit.place(call)
                text = re.sub(r"\w+\(.*\)$", "enable_grad()", program.text(at))
                return _Cut(at, f"they were used under {program.text(at)}", text, (edits.replace(at, text),))
    return None


def _says_true(call: ast.Call) -> bool:
    return any(isinstance(argument, ast.Constant) and argument.value is True for argument in call.args)


def _cut_of(program: Program, unit: Unit, node: ast.expr) -> _Cut | None:
    """What an expression cuts: ``h.detach()``, ``h.data``, ``torch.tensor(loss.item(), requires_grad=True)``."""
    at, inner = unit.place(node), node
    made = isinstance(node, ast.Call) and last_name(node.func) in _MAKERS and bool(node.args)
    if made and isinstance(node, ast.Call):
        inner = node.args[0]
    while True:
        match inner:
            case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in _METHODS:
                inner = value
            case ast.Attribute(value=value, attr="data"):
                inner = value
            case _:
                break
    if inner is node or (isinstance(inner, ast.Constant) or (made and inner is getattr(node, "args", [None])[0])):
        wrapped = made and isinstance(node, ast.Call) and any(k.arg == "requires_grad" for k in node.keywords)
        if not wrapped:
            return None
        return _Cut(at, f"{program.text(at)} is a new tensor, which knows of none of them", _LOSS, ())
    words = program.text(at)
    if not any(word in words for word in ("detach", ".data", ".item", ".numpy", ".tolist")):
        return None
    whole = bracketed(program, unit.place(inner))
    return _Cut(at, f"{words} is cut off from what made it", whole, (edits.replace(at, whole),))


_LOSS: Final = "call backward() on the loss as it was computed, in torch from the scores on"
