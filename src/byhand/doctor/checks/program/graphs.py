"""Autograd's graphs that a running total or a list holds: harmless for the numbers, and they fill the memory."""

from collections.abc import Iterator
from typing import Final

from byhand.doctor.aside import Kept
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.finding import Finding
from byhand.doctor.text.program import Program

__all__ = ["graph_kept_by_total"]

_MANY: Final = 10  # rounds
_LARGE: Final = 1 << 20  # bytes


def graph_kept_by_total(evidence: Evidence) -> Iterator[Finding]:
    """``total += loss`` or ``losses.append(loss)``, whose graph no backward pass ever goes through."""
    program = evidence.program
    found = [kept for kept in evidence.trace.kept if kept.count >= _MANY and kept.nodes]
    for kept in sorted(found, key=lambda one: -one.count * (one.nodes + one.bytes))[:1]:
        name = kept.name or "the list"
        size = f", and {_size(kept.bytes * kept.count)} of what they computed" if kept.bytes else ""
        yield Finding(
            "graph-kept-by-total",
            "note",
            kept.place,
            saw=f"{name} holds the graphs of {kept.count:,} rounds, {kept.nodes:,} nodes of autograd each{size}, and no"
            " backward pass goes through them",
            so="no number changes; the memory that they take grows with every round",
            instead=_instead(program, kept),
        )


def _instead(program: Program, kept: Kept) -> str:
    text = program.text(kept.place)
    if not kept.name:
        inner = text.partition(".append(")[2].removesuffix(")")
        return (
            f"{text.partition('.append(')[0]}.append({inner}.item())" if inner.isidentifier() else ".detach() before it"
        )
    left, sign, right = text.partition("+=")
    if sign and right.strip().isidentifier():
        return f"{left}{sign}{right}.item()"
    return "add up loss.item(), or loss.detach(), which has no graph"


def _size(count: int) -> str:
    if count < _LARGE:
        return f"{count / 1024:.0f} KB"
    return f"{count / _LARGE:,.0f} MB" if count < 1 << 30 else f"{count / (1 << 30):.1f} GB"
