"""Numbers that are asked for and never used: an option of the command line, a name such as ``lr``."""

import ast
import math
from collections import Counter
from collections.abc import Iterator
from typing import Final

from byhand.doctor.aside import Option
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.calls import last_name, ran
from byhand.doctor.checks.reading.course import best, fed, short
from byhand.doctor.checks.reading.literals import RATES, ROUNDS, rate_places, round_places
from byhand.doctor.checks.reading.units import units
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.program import Unit
from byhand.doctor.trace import Trace

__all__ = ["option_never_used"]

_BATCHES: Final = ("batch_size", "batchsize", "bs", "batch", "train_batch_size", "minibatch_size")
_EFFECTS: Final = frozenset(
    {
        "momentum", "weight_decay", "wd", "dropout", "p_drop", "hidden", "hidden_size", "hidden_dim", "n_hidden",
        "width", "depth", "layers", "n_layers", "num_layers", "seed", "optimizer", "gamma", "l2", "reg",
    }
)  # fmt: skip
"""Other names whose number changes what a program reaches."""

_SETTINGS: Final = frozenset(
    {"lr", "learning_rate", "lrate", "lr0", "epochs", "n_epochs", "num_epochs", "max_epochs", "batch_size", "bs"}
)
"""Names that are nothing but a setting: ``epoch``, ``alpha`` or ``steps`` may be a counter, or another number."""

_ALL_AT_ONCE: Final = frozenset({"globals", "locals", "vars", "eval", "exec"})


def option_never_used(evidence: Evidence) -> Iterator[Finding]:
    """An option that was parsed and that nobody looked at, or a number by the name of one that nobody reads."""
    trace = evidence.trace
    if trace.end.how != "done" or not trace.trainings:
        return
    for option in trace.options:
        if not option.read and option.place and _has_effect(option.name) and not _is_written(evidence, option):
            yield _of_option(evidence, option)
    yield from _of_names(evidence)


def _has_effect(name: str) -> bool:
    return name.lower() in (*RATES, *ROUNDS, *_BATCHES, *_EFFECTS)


def _is_written(evidence: Evidence, option: Option) -> bool:
    """Whether the text reads an option after all: in a part that did not run, or in a way that was not seen."""
    program, trace = evidence.program, evidence.trace
    roots = {
        ast.unparse(target)
        for unit in units(program, trace)
        for node in ast.walk(unit.tree)
        if isinstance(node, ast.Assign) and "parse" in ast.unparse(node.value)
        for target in node.targets
    }
    for unit in units(program, trace):
        for node in ast.walk(unit.tree):
            if isinstance(node, ast.Attribute) and node.attr == option.name and isinstance(node.ctx, ast.Load):
                if ast.unparse(node.value) in {*roots, "args", "opt", "opts", "config", "cfg"}:
                    return True
                if not ran(trace, unit.place(node)):
                    return True
            if isinstance(node, ast.Constant) and node.value == option.name:
                return True
    return False


def _of_option(evidence: Evidence, option: Option) -> Finding:
    used, at = _used(evidence, option.name)
    given = "" if option.value is None else f" ({short(option.value)} here)"
    place = at or option.place
    root = _root(evidence)
    saw = f"{option.flag}{given} is parsed, and nothing in the run looked at it"
    if used is not None:
        saw += f"; {_what(option.name)} {short(used)}"
        saw += ", by chance the same" if option.value is not None and _close(used, option.value) else ""
    line = evidence.program.text(edits.statement(evidence.program, place)) if at and place else ""
    value = f"{root}.{option.name}"
    return Finding(
        "option-never-used",
        "warning",
        place,
        saw=saw,
        so=f"whatever is given with {option.flag}, the program does the same",
        instead=_with(evidence, line, at, value) if at else f"use {value} where its number is meant",
    )


def _with(evidence: Evidence, line: str, at: Place, value: str) -> str:
    """The statement with the number's place taken by another expression."""
    if "\n" in line or not line:
        return f"{value} in the place of {evidence.program.text(at)}"
    start = at.column - edits.statement(evidence.program, at).column
    end = start + at.end_column - at.column
    return f"{line[:start]}{value}{line[end:]}"


def _root(evidence: Evidence) -> str:
    for unit in units(evidence.program, evidence.trace):
        for node in ast.walk(unit.tree):
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Call)
                and last_name(node.value.func) == "parse_args"
                and isinstance(node.targets[0], ast.Name)
            ):
                return node.targets[0].id
    return "args"


def _used(evidence: Evidence, name: str) -> tuple[float | None, Place | None]:
    """The number that the training had in the place of an option, and where it is written; None where not known."""
    program, trace = evidence.program, evidence.trace
    index = best(evidence)
    if index is None:
        return None, None
    training, key = trace.trainings[index], name.lower()
    if key in RATES and training.rate:
        return training.rate, _first(evidence, rate_places(program, trace, training))
    if key in ROUNDS and training.epochs:
        return float(training.epochs), _first(evidence, round_places(program, trace, training))
    if key in _BATCHES:
        sizes = Counter(forward.n for forward in fed(trace, index))
        return (float(sizes.most_common(1)[0][0]), None) if sizes else (None, None)
    return None, None


def _first(evidence: Evidence, places: tuple[Place, ...]) -> Place | None:
    """The first place that is no default of an option's own."""
    program = evidence.program
    own = [p for p in places if not any(last_name(c.func) == "add_argument" for c in program.nodes(p, ast.Call))]
    return own[0] if own else None


def _what(name: str) -> str:
    key = name.lower()
    return "the steps were made at" if key in RATES else "the rounds were" if key in ROUNDS else "the batches had"


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-2)


# Names that nobody reads.


def _of_names(evidence: Evidence) -> Iterator[Finding]:
    """``lr = 0.1`` that is read nowhere, while the training has another rate; rounds and batches alike."""
    program, trace = evidence.program, evidence.trace
    everything = units(program, trace)
    if any(_reads_all(unit) for unit in everything):
        return
    for unit in everything:
        for scope, statement, name, number in _named(unit):
            inside = [scope] if isinstance(scope, ast.FunctionDef) else [one.tree for one in everything]
            if any(_reads(each, name) for each in inside) or not ran(trace, unit.place(statement)):
                continue
            if isinstance(scope, ast.Module) and any(_is_asked_for(one.tree, name) for one in everything):
                continue
            used, at = _used(evidence, name)
            if used is None or _close(used, number) or _is_right_elsewhere(trace, name, number):
                continue
            yield Finding(
                "option-never-used",
                "warning",
                at or unit.place(statement),
                saw=f"{name} is {short(number)} (line {statement.lineno}), and nothing reads it;"
                f" {_what(name)} {short(used)}",
                so=f"a change of {name} changes nothing",
                instead=_with(evidence, program.text(edits.statement(program, at)), at, name)
                if at
                else f"use {name} where its number is meant, or leave it out",
            )


def _named(unit: Unit) -> Iterator[tuple[ast.Module | ast.FunctionDef, ast.Assign, str, float]]:
    """The scope, statement, name and number of each ``lr = 0.1`` of a file and of its functions."""
    scopes = [unit.tree, *(node for node in ast.walk(unit.tree) if isinstance(node, ast.FunctionDef))]
    for scope in scopes:
        stored = Counter(n.id for n in _own(scope) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        for node in _own(scope):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    number = _number(value)
                    if number and number > 0 and name.lower() in _SETTINGS and stored[name] == 1:
                        yield scope, node, name, number
                case _:
                    pass


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope without those of the functions and classes in it."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield from _own(node)


def _reads(scope: ast.AST, name: str) -> bool:
    """Whether a scope, or a function in it that has no such name of its own, reads a name."""
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            return True
        hidden = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and _binds(node, name)
        inner = node.args if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) else None
        if _reads(inner if hidden and inner is not None else node, name):
            return True
    return False


def _binds(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, name: str) -> bool:
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *(a for a in (given.vararg, given.kwarg) if a)]
    if any(argument.arg == name for argument in named):
        return True
    outside = [node for node in _own(function) if isinstance(node, ast.Global | ast.Nonlocal)]
    stored = any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store) for n in _own(function))
    return stored and not any(name in node.names for node in outside)


def _is_asked_for(tree: ast.Module, name: str) -> bool:
    """Whether a file asks for a module's name: ``config.lr``, ``from config import lr``, ``getattr(config, "lr")``."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=other) if other == name and not _is_of_an_object(node):
                return True
            case ast.Constant(value=other) if other == name:
                return True
            case ast.ImportFrom(names=names) if any(alias.name == name for alias in names):
                return True
            case _:
                pass
    return False


def _is_of_an_object(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _is_right_elsewhere(trace: Trace, name: str, number: float) -> bool:
    """Whether batches or rounds are as asked for after all, for some of the trainings."""
    if name.lower() in _BATCHES:
        return any(forward.n == number for forward in trace.forwards)
    return any(t.epochs == number or (t.rate and _close(t.rate, number)) for t in trace.trainings)


def _number(value: ast.expr) -> float | None:
    match value:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return float(number)
        case _:
            return None


def _reads_all(unit: Unit) -> bool:
    """Whether a file takes names by their text, or all of a module's."""
    for node in ast.walk(unit.tree):
        if isinstance(node, ast.Call) and last_name(node.func) in _ALL_AT_ONCE:
            return True
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            return True
    return False
