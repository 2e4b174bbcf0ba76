"""The numbers that a program shows or keeps: under a name, or straight out of a function."""

import ast
from collections.abc import Callable
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.calls import last_name
from byhand.doctor.checks.reading.units import units
from byhand.doctor.slopes import Scalar

__all__ = ["is_shown"]

_KEEPS: Final = frozenset({"print", "append", "write", "info", "plot", "format", "set_description", "set_postfix"})


def is_shown(evidence: Evidence) -> Callable[[Scalar], bool]:
    """Tells of a number that the program computes whether it is handed to print, or to a list that keeps it.

    By the name that it is assigned to, or as what a function returns that is called there: ``kept.append(mse(p, t))``.
    """
    names: set[str] = set()
    called: set[str] = set()
    found = [*units(evidence.program, evidence.trace)]
    for unit in found:
        for call in ast.walk(unit.tree):
            if isinstance(call, ast.Call) and last_name(call.func) in _KEEPS:
                for node in (n for one in [*call.args, *(k.value for k in call.keywords)] for n in ast.walk(one)):
                    names |= {ast.unparse(node)} if isinstance(node, ast.Name | ast.Attribute) else set()
                    called |= {last_name(node.func)} if isinstance(node, ast.Call) else set()
    returned = {
        unit.place(node.value)
        for unit in found
        for function in ast.walk(unit.tree)
        if isinstance(function, ast.FunctionDef) and function.name in called
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and node.value is not None
    }
    return lambda scalar: not scalar.assumed and (scalar.name in names or scalar.place in returned)
