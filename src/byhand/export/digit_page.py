"""One page that draws, centres and predicts: a run's model and all that it needs, in a file that asks nobody."""

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any

from markupsafe import Markup

import byhand
from byhand.errors import UsageError
from byhand.export.bundle import bundle, static_text
from byhand.export.carry import Carried, carry
from byhand.files import write_atomically
from byhand.json_text import json_text
from byhand.runs import load_run
from byhand.templates import environment

__all__ = ["export", "render"]


def export(run: str | Path, file: str | Path) -> float:
    """Write the page of a run's folder, and return by how much a probability of its differs from the run's at most.

    The page has the weights of a small model as they are, and those of a larger one rounded to float16; the difference
    is measured on 500 made-up pictures.

    Raises:
        DataError: the folder is no run, or the file cannot be written.
        UsageError: the file's ending is not ``.html``, or the page cannot carry the model.
    """
    file = Path(file)
    if file.suffix.lower() != ".html":
        raise UsageError(f"-o {file.name}: .html is what a run can be exported to; name the file digit.html, say")
    model, record = load_run(run)
    carried = carry(model, tuple(record["data"]["shape"]))
    write_atomically(file, _page(carried, record).encode("utf-8"))
    return carried.max_difference


def render(model: object, record: Mapping[str, Any]) -> str:
    """The page of a model for pixels divided by 255, as text.

    Args:
        model: linear or an MLP, wherever its weights are.
        record: what ``run.json`` holds: of it, ``data`` (``source``, ``classes``, ``shape``, ``ink_box``) and, if it is
            there, ``results`` (``valid_accuracy``).

    Raises:
        UsageError: the page cannot carry the model; why, in one line.
    """
    return _page(carry(model, tuple(record["data"]["shape"])), record)


def _page(carried: Carried, record: Mapping[str, Any]) -> str:
    data = record["data"]
    style = static_text("base.css") + _own_text("page.css") + static_text("draw.css")
    script = bundle(_own_text("page.js"))
    told = {"classes": data["classes"], "shape": data["shape"], "inkBox": data["ink_box"]}
    told |= {"sizes": carried.sizes, "bits": carried.bits, "scales": carried.scales, "data": carried.data}
    source = PurePath(str(data["source"])).name  # where it lay is nobody else's business
    return (
        environment("byhand.export")
        .get_template("page.html")
        .render(
            title=f"{_name(carried.sizes)}, trained on {source}",
            about=_about(carried, record),
            weights=_weights(carried),
            version=byhand.__version__,
            style=Markup(style),  # noqa: S704, our own files
            style_hash=_hash(style),
            script=Markup(script),  # noqa: S704, our own files
            script_hash=_hash(script),
            model=Markup(json_text(told).replace("<", "\\u003c")),  # noqa: S704, no tag can begin in it
        )
    )


def _name(sizes: tuple[int, ...]) -> str:
    return "Linear model" if len(sizes) == 2 else f"MLP {'-'.join(map(str, sizes))}"


def _about(carried: Carried, record: Mapping[str, Any]) -> str:
    sizes = carried.sizes
    parameters = sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))
    height, width = record["data"]["shape"]
    text = (
        f"Draw, and see what it reads and why. {parameters:,} parameters, {width}×{height} pixels, {sizes[-1]} classes."
    )
    results: dict[str, float | None] = record.get("results") or {}
    if (accuracy := results.get("valid_accuracy")) is not None:
        text += f" It names {100 * accuracy:.1f} % right of the images that were kept to judge it by."
    return text


def _weights(carried: Carried) -> str:
    if carried.bits == 32:
        return "Its weights are those of the run, to the last bit."
    moved = _upwards(carried.max_difference)
    return (
        f"Its weights are rounded to 16 bits, which moves no probability by more than {moved} on 500 made-up pictures."
    )


def _upwards(difference: float) -> str:
    """Not less than it is, with one significant digit."""
    if difference == 0:
        return "0"
    digits = max(1, -int(f"{difference:e}".split("e")[1]))
    return f"{-(-difference * 10**digits // 1) / 10**digits:.{digits}f}"


def _own_text(name: str) -> str:
    return (resources.files("byhand.export") / name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
