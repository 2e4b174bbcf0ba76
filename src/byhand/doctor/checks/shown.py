"""The numbers that a program shows or keeps."""

import ast
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.units import units

__all__ = ["shown_names"]

_KEEPS: Final = frozenset({"print", "append", "write", "info", "plot", "format", "set_description", "set_postfix"})


def shown_names(evidence: Evidence) -> set[str]:
    """The variables that are handed to print, or to a list that keeps them."""
    names: set[str] = set()
    for unit in units(evidence.program, evidence.trace):
        for call in ast.walk(unit.tree):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")) in _KEEPS:
                given = [*call.args, *(keyword.value for keyword in call.keywords)]
                parts = [n for one in given for n in ast.walk(one) if isinstance(n, ast.Name | ast.Attribute)]
                names |= {ast.unparse(n) for n in parts}
    return names
