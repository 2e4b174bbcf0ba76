"""``byhand compare``: is the difference between runs real?"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from byhand.commands import emit_json, new_app, one_line, options
from byhand.commands.lines import paragraph

if TYPE_CHECKING:
    from byhand.evaluate.compare import Comparison

app = new_app()


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Folders that byhand train made.")],
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the verdict only.")] = False,
) -> None:
    """Compare runs on the same test images, image by image, and say whether the difference can be luck.

    Runs that differ only in their seeds are summed up by mean and standard deviation.
    """
    from byhand.evaluate.compare import compare  # here, because it imports torch

    found = compare(runs)
    if json:
        emit_json("compare", _fields(found))
    elif quiet:
        typer.echo(one_line(found.verdict))
    else:
        typer.echo(_answer(found))


def _fields(found: "Comparison") -> dict[str, object]:
    """The contract's fields are those of the first two runs; the others stand in ``pairs``."""
    first = found.pairs[0]
    return {
        "runs": [{"run": run, "accuracy": asdict(accuracy)} for run, accuracy in found.accuracies.items()],
        "difference": asdict(first.difference),
        "p_value": first.p_value,
        "pairs": [asdict(pair) for pair in found.pairs],
        "seeds": [asdict(group) for group in found.groups],
        "verdict": found.verdict,
    }


def _answer(found: "Comparison") -> str:
    wide = max(len(one_line(run)) for run in found.accuracies)
    lines = [
        f"{one_line(run):{wide}}  {100 * a.value:6.2f} %  ({100 * a.low:.1f} to {100 * a.high:.1f} on {a.n:,})"
        for run, a in found.accuracies.items()
    ]
    if len(found.pairs) > 1:
        lines += ["", "each against each, p adjusted for the number of pairs (Holm)"]
        for pair in found.pairs:
            d = pair.difference
            names = f"{one_line(pair.second):{wide}} − {one_line(pair.first):{wide}}"
            bounds = f"{100 * d.value:+6.2f} points ({100 * d.low:+.2f} to {100 * d.high:+.2f})"
            lines.append(f"{names}  {bounds}  p = {pair.p_value:.2g}  {'real' if pair.real else 'may be luck'}")
        for group in found.groups:
            mean, sd = 100 * group.accuracy.mean, 100 * group.accuracy.sd
            lines.append(f"{len(group.runs)} seeds: {mean:.2f} ± {sd:.2f} %  ({', '.join(map(one_line, group.runs))})")
    return "\n".join([*lines, "", paragraph(found.verdict)])
