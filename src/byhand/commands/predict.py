"""``byhand predict``: what a saved run sees in pictures."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from byhand.commands import emit_json, new_app, one_line, options

if TYPE_CHECKING:
    from byhand.predict import Prediction

app = new_app()

_LIKELIEST = 3  # classes shown a picture


@app.command()
def predict(
    run: options.Run,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="PNG or JPEG files.")],
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the labels only, one a line.")] = False,
) -> None:
    """Say what a saved run sees in pictures of any size, dark on light or light on dark.

    Each picture is first made like those that the model learnt from, and what was done to it is said.
    """
    from byhand.predict import predict  # here, because it imports torch

    predictions = predict(run, images)
    if json:
        fields = [asdict(one) | {"probs": list(one.probs.values())} for one in predictions]
        emit_json("predict", {"run": run, "classes": list(predictions[0].probs), "predictions": fields})
        return
    for one in predictions:
        typer.echo(one_line(one.label) if quiet else _lines(one))


def _lines(one: "Prediction") -> str:
    ranked = sorted(one.probs.items(), key=lambda item: -item[1])
    shares = [f"{one_line(label)} {100 * p:.1f} %" for label, p in ranked[:_LIKELIEST]]
    likeliest, *others = shares
    return f"{one_line(one.file)}: {likeliest}   (then {', '.join(others)})\n    {'; '.join(one.notes)}"
