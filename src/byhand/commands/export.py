"""``byhand export``: a run as one file that needs no byhand."""

from pathlib import Path
from typing import Annotated

import typer

from byhand.commands import emit_json, new_app, one_line, options
from byhand.errors import UsageError

app = new_app()


@app.command()
def export(
    run: options.Run,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Where to: a name ending in .html or .onnx.")
    ],
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Write a run as a page that draws, centres and predicts without a server, or as a model in the ONNX format.

    The ONNX model takes raw pixels and gives logits, probabilities and labels; it needs pip install "byhand[onnx]".
    """
    match output.suffix.lower():
        case ".html":
            fields, said = _page(run, output)
        case ".onnx":
            fields, said = _onnx(run, output)
        case _:
            raise UsageError(f"-o {output.name}: a run can be exported to .html, a page, or to .onnx; end the name so")
    if json:
        emit_json("export", {"file": output, **fields})
    elif not quiet:
        size = output.stat().st_size / 1000
        typer.echo(f"{one_line(str(output))}: {size:.0f} KB; {said}")


def _page(run: Path, output: Path) -> tuple[dict[str, object], str]:
    from byhand.export.digit_page import export  # here, because it imports torch

    difference = export(run, output)
    said = "open it in any browser, or send it to somebody"
    if difference:
        said += f"\nits weights are rounded: no probability differs from the run's by more than {difference:.1g}"
    return {"max_difference": difference}, said


def _onnx(run: Path, output: Path) -> tuple[dict[str, object], str]:
    from byhand.export.onnx_model import OPSET, export  # here, because it imports torch

    made = export(run, output)
    fields: dict[str, object] = {"max_difference": made.max_difference}
    fields |= {"max_logit_difference": made.max_logit_difference, "measured_by": made.by, "opset": OPSET}
    said = (
        f"images (N, H, W) of uint8 in, logits, probs and label out; opset {OPSET}\n"
        f"no probability differs from the run's by more than {made.max_difference:.1g}, by {made.by}"
    )
    return fields, said
