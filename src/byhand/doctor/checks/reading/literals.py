"""Where the numbers that a learner turns are written: the rate, and how long to train."""

import ast
import math
import re
from collections.abc import Iterator
from typing import Final, TypeGuard

from byhand.doctor.checks.reading.calls import last_name, ran
from byhand.doctor.checks.reading.units import units
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.trace import Optimizer, Trace, Training

__all__ = [
    "RATES",
    "ROUNDS",
    "assigned",
    "bound",
    "optimizer_of",
    "rate_expressions",
    "rate_of",
    "rate_places",
    "round_places",
]

RATES: Final = ("lr", "learning_rate", "alpha", "eta", "step_size", "rate", "lrate", "learningrate", "lr0")
"""Names that a rate goes by, in small letters."""

ROUNDS: Final = (
    "epochs", "n_epochs", "num_epochs", "nb_epochs", "max_epochs", "epoch", "n_epoch", "iterations", "n_iter",
    "num_iterations", "n_iters", "num_iters", "iters", "steps", "n_steps", "num_steps", "niter", "max_iter",
)  # fmt: skip
"""Names that the number of rounds goes by."""

_TOLERANCE: Final = 2e-3  # of a rate that was measured in float32


def optimizer_of(trace: Trace, training: Training) -> Optimizer | None:
    """The optimizer object that made a training's updates."""
    index = trace.trainings.index(training)
    owners = [p.optimizer for p in trace.parameters if p.training == index and p.optimizer is not None]
    return trace.optimizers[owners[0]] if owners else None


def rate_of(program: Program, trace: Trace, training: Training) -> float | None:
    """A training's rate: as measured, as its optimizer has it, or the one number that goes by a rate's name."""
    optimizer = optimizer_of(trace, training)
    if training.rate or optimizer:
        return training.rate or (optimizer.rate if optimizer else None)
    named = {
        node.value
        for _, word, node in _bindings(program, trace)
        if word.lower() in RATES and isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    }
    return float(named.pop()) if len(named) == 1 else None


def rate_places(program: Program, trace: Trace, training: Training) -> tuple[Place, ...]:
    """The literals that hold a training's rate, the likeliest first."""
    optimizer = optimizer_of(trace, training)
    near = (optimizer.place if optimizer else None) or training.place
    rate = rate_of(program, trace, training)
    if rate is None or near is None:
        return ()
    named = [place for name in RATES for place in bound(program, trace, name, rate)]
    here = [place for place in _numbers_at(program, near, rate) if place not in named]
    rounded = [float(f"{rate:.{digits}g}") for digits in (6, 3, 2)]
    loose = [place for value in dict.fromkeys((rate, *rounded)) for place in edits.constants(program, value, near)]
    return tuple(dict.fromkeys([*here, *_nearest(named, near), *loose]))


def rate_expressions(program: Program, trace: Trace) -> tuple[Place, ...]:
    """Where a name that rates go by gets what is no literal, ``lr = args.lr`` or ``lr = float(sys.argv[4])``."""
    found: list[Place] = []
    for unit in units(program, trace):
        for node in ast.walk(unit.tree):
            match node:
                case ast.Assign(
                    targets=[ast.Name() | ast.Attribute() as target],
                    value=ast.Attribute() | ast.Call() | ast.Subscript() as value,
                ) if last_name(target).lower() in RATES and ran(trace, unit.place(node)):
                    found.append(unit.place(value))
                case _:
                    pass
    return tuple(found)


def round_places(program: Program, trace: Trace, training: Training) -> tuple[Place, ...]:
    """The literals that say how often a training's outermost loop goes round, the likeliest first."""
    if training.loop is None or not training.epochs:
        return ()
    loops = program.nodes(training.loop, ast.For)
    unit = program.unit(training.loop)
    if unit is None or not loops:
        return ()
    header, goal = loops[0].iter, float(training.epochs)
    inside = [unit.place(node) for node in ast.walk(header) if _is(node, goal)]
    names = [last_name(node).lower() for node in ast.walk(header) if isinstance(node, ast.Name | ast.Attribute)]
    wanted = dict.fromkeys([*names, *ROUNDS])
    named = [place for name in wanted if name != "range" for place in bound(program, trace, name, goal)]
    return tuple(dict.fromkeys([*inside, *_nearest(named, training.loop)]))


def bound(program: Program, trace: Trace, name: str, value: float) -> list[Place]:
    """The literals of this value that the program binds to a name, whatever its case.

    Assignments, attributes, keywords of calls, defaults of parameters and of ``add_argument``, entries of a dictionary,
    and positional arguments of the user's own functions count.
    """
    found = [
        unit.place(node) for unit, word, node in _bindings(program, trace) if word.lower() == name and _is(node, value)
    ]
    return list(dict.fromkeys(found))


def assigned(program: Program, trace: Trace, name: str, *, any_case: bool = False) -> Iterator[tuple[Unit, ast.expr]]:
    """The expressions bound to a name: W1 for ``self.W1`` and ``params["W1"]``, weights for ``self.weights[k]``."""
    key = re.search(r"\[['\"](\w+)['\"]\]$", name)
    last = key[1] if key else re.sub(r"\[.*", "", name).rpartition(".")[2]
    for unit, word, node in _bindings(program, trace):
        if word == last or (any_case and word.lower() == last):
            yield unit, node


def _bindings(program: Program, trace: Trace) -> Iterator[tuple[Unit, str, ast.expr]]:
    """What the program's text binds to a name. A call may stand in another cell or file than its function."""
    text = units(program, trace)
    everywhere = {name: words for unit in text for name, words in _parameters(unit).items()}
    for unit in text:
        for word, node in _bound_in(unit, everywhere | _parameters(unit)):
            yield unit, word, node


def _bound_in(unit: Unit, parameters: dict[str, list[str]]) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(unit.tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield from _pairs(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield from _pairs(target, value)
            case ast.FunctionDef(args=args):
                named = [*args.posonlyargs, *args.args]
                yield from zip((a.arg for a in named[len(named) - len(args.defaults) :]), args.defaults, strict=True)
                for argument, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
                    if default:
                        yield argument.arg, default
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield key.value, value
            case ast.Call():
                yield from _arguments(node, parameters)
            case _:
                pass


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for left, right in zip(target.elts, value.elts, strict=True):
            yield last_name(left), right
    elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        yield str(target.slice.value), value
    else:
        yield last_name(target), value


def _arguments(call: ast.Call, parameters: dict[str, list[str]]) -> Iterator[tuple[str, ast.expr]]:
    name = last_name(call.func)
    if name == "add_argument":
        options = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        for keyword in call.keywords:
            if keyword.arg == "default":
                yield from ((option.lstrip("-").replace("-", "_"), keyword.value) for option in options)
        return
    yield from ((keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg)
    yield from zip(parameters.get(name, []), call.args, strict=False)


def _parameters(unit: Unit) -> dict[str, list[str]]:
    """The names of the positional parameters of the user's functions, and of the classes that are made by them."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(unit.tree):
        if isinstance(node, ast.FunctionDef):
            found[node.name] = [argument.arg for argument in node.args.args if argument.arg != "self"]
        elif isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                    found[node.name] = [argument.arg for argument in method.args.args[1:]]
    return found


def _numbers_at(program: Program, place: Place, value: float) -> list[Place]:
    """The literals of a value in the statement at a place."""
    unit, whole = program.unit(place), edits.statement(program, place)
    statements = program.nodes(whole, ast.stmt)
    if unit is None or not statements or isinstance(statements[0], ast.For | ast.While | ast.With | ast.FunctionDef):
        return []
    return [unit.place(node) for node in ast.walk(statements[0]) if _is(node, value)]


def _is(node: ast.AST, value: float) -> TypeGuard[ast.Constant]:
    """Whether a node is a number literal of this value."""
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool) or not isinstance(node.value, int | float):
        return False
    return math.isclose(node.value, value, rel_tol=_TOLERANCE)


def _nearest(places: list[Place], near: Place) -> list[Place]:
    def distance(place: Place) -> tuple[bool, int]:
        return (place.file, place.cell) != (near.file, near.cell), abs(place.line - near.line)

    return sorted(places, key=distance)
