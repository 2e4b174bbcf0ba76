"""Layers that add nothing: two linear ones in a row, and a softmax in the place of a hidden layer's non-linearity."""

import ast
from collections.abc import Iterator

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.loss.fixes import without
from byhand.doctor.checks.reading.calls import before_name, bracketed, call_at, calls_of, last_name
from byhand.doctor.checks.reading.chain import LINEAR, Product, behind, products, uses
from byhand.doctor.checks.reading.softmaxes import Softmax, softmaxes
from byhand.doctor.checks.reading.tapes import PRODUCTS, Reading, name_of, readings
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits

__all__ = ["softmax_as_hidden_unit", "stacked_linear_layers"]


def stacked_linear_layers(evidence: Evidence) -> Iterator[Finding]:
    """Two products with weights, and between them nothing but sums: together they are one linear layer.

    A narrow first one is a factor of low rank, as bottlenecks and low-rank adaptation have it, and is left alone.
    """
    seen: set[tuple[int | None, int | None]] = set()
    for reading in readings(evidence.trace):
        layers = {layer.op.output: layer for layer in products(reading)}
        for second in layers.values():
            source, between = behind(reading, second.data)
            first = layers.get(source.output) if source else None
            key = (first.weight if first else None, second.weight)
            if first is None or key in seen or not _are_one(evidence, reading, first, second):
                continue
            seen.add(key)
            place, text, fix = _bent(evidence, first, second, between)
            rows, units, out = (*first.sizes(reading), second.sizes(reading)[1])
            names = f"{_named(evidence, first)} and {_named(evidence, second)}"
            used = rows * units + units + units * out + out
            yield Finding(
                "stacked-linear-layers",
                "warning",
                place,
                saw=f"nothing stands between the products with {names}:"
                f" {rows:,} numbers become {units:,} and then {out:,}",
                so=f"the two are one linear layer of {rows:,} × {out:,}: {used:,} parameters do what"
                f" {rows * out + out:,} can",
                instead=text,
                edits=(fix,) if fix else (),
            )


def _are_one(evidence: Evidence, reading: Reading, first: Product, second: Product) -> bool:
    """Whether nothing else hangs on what is between two layers, both are trained, and the first is no bottleneck."""
    if second.convolution or second.weight is None or first.weight == second.weight:
        return False
    if first.convolution and len(reading.shape(second.data)) != 2:
        return False
    trained = (evidence.trace.parameters[i] for i in (first.weight, second.weight) if i is not None)
    if any(parameter.frozen or not parameter.changed for parameter in trained):
        return False
    if any(name_of(op) not in PRODUCTS for op in uses(reading, first.op.output)):
        return False
    rows, units, out = (*first.sizes(reading), second.sizes(reading)[1])
    return units >= min(rows, out) and out > 1


def _named(evidence: Evidence, layer: Product) -> str:
    parameter = evidence.trace.parameters[layer.weight] if layer.weight is not None else None
    return parameter.name if parameter and parameter.name else "one weight" if parameter else "the first weight"


def _bent(
    evidence: Evidence, first: Product, second: Product, between: tuple[Op, ...]
) -> tuple[Place | None, str, Edits]:
    """Where a ReLU goes between two layers: the place, what to write, and the edit."""
    program, trace = evidence.program, evidence.trace
    ops = [op for op in (*between, first.op) if name_of(op) != "dropout"]
    at = next((op.place for op in ops if name_of(op) != "view"), None)
    if at is None or not trace.backwards:
        return at, "np.maximum(0, ...) around what the first gives, and its mask in the backward pass", ()
    if at != second.op.place:
        whole = bracketed(program, at) == program.text(at)
        fix = edits.wrap(at, "" if whole else "(", ".relu()" if whole else ").relu()")
        text = edits.written_if_any(program, fix)
        return at, text or "a ReLU between the two", fix if text else ()
    made = trace.parameters[second.weight].place if second.weight is not None else None
    call = call_at(program, made)
    around = program.nodes(made, ast.Call)[1:2] if made else []
    if call is None or made is None or not around or last_name(around[0].func) != "Sequential":
        return made or at, "a ReLU between the two", ()
    prefix = before_name(program, call)
    start = made._replace(end_line=made.line, end_column=made.column)
    return made, f"{prefix}ReLU(), {program.text(made)}", (edits.replace(start, f"{prefix}ReLU(), "),)


def softmax_as_hidden_unit(evidence: Evidence) -> Iterator[Finding]:
    """Softmax over the units of a hidden layer, whose values go into another product with a weight."""
    seen: set[Place | None] = set()
    for reading in readings(evidence.trace):
        layers = products(reading)
        outputs = {layer.op.output for layer in layers}
        for softmax in softmaxes(reading):
            shape = reading.shape(softmax.output)
            taken = [layer for layer in layers if _comes_of(reading, layer, softmax)]
            source, _ = behind(reading, softmax.logits, LINEAR | {"sub"})
            if softmax.log or len(shape) != 2 or not taken or source is None or source.output not in outputs:
                continue
            units = shape[softmax.axis]
            if units < 2 or units == taken[0].sizes(reading)[1] or (units == reading.n and shape[0] != shape[1]):
                continue
            place, text, fix = _relu(evidence, reading, softmax)
            if place in seen:
                continue
            seen.add(place)
            yield Finding(
                "softmax-as-hidden-unit",
                "warning",
                place,
                saw=f"softmax over the {units} units of a hidden layer, and then a product with"
                f" {_named(evidence, taken[0])}: a row's units sum to 1",
                so=f"a unit can grow only where others shrink, and is 1/{units} on average: little of the image, and"
                " less of the gradient, comes through",
                instead=text,
                edits=(fix,) if fix else (),
                needs_proof=bool(fix),
            )


def _comes_of(reading: Reading, layer: Product, softmax: Softmax) -> bool:
    index = layer.data
    source, passed = behind(reading, index)
    return layer.weight is not None and (
        (source is not None and source.output == softmax.output) or any(op.output == softmax.output for op in passed)
    )


def _relu(evidence: Evidence, reading: Reading, softmax: Softmax) -> tuple[Place | None, str, Edits]:
    """A ReLU in the place of a softmax: where, what to write, and the edit."""
    program, op = evidence.program, softmax.op
    if op.module and not softmax.parts:
        made = calls_of(program, op.module, op.place)
        if len(made) != 1:
            return op.place, "a ReLU in its place", ()
        text = f"{before_name(program, made[0])}ReLU()"
        return made[0].place, text, (edits.replace(made[0].place, text),)
    bare = without(program, reading, op, softmax)
    if not bare.edits or not bare.place or not evidence.trace.backwards:
        return bare.place, "a ReLU in its place", ()
    text = f"{bare.text}.relu()"
    return bare.place, text, (edits.replace(bare.place, text),)
