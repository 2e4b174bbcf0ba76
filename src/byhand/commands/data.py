"""``byhand data``: which data sets there are, getting one, and what is in one."""

import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from byhand.commands import emit_json, new_app, one_line, options
from byhand.data import catalog, sources
from byhand.data.dataset import Dataset, Part
from byhand.data.load import make_shards, open_data
from byhand.data.sharding import Choices
from byhand.data.shards import Sharded, Shards

app = new_app(help="List, fetch and describe data sets.", no_args_is_help=True)

_Source = Annotated[str, typer.Argument(help="A name, a folder, a .csv, .npz or .parquet file.")]
_Valid = Annotated[float, typer.Option(help="Part of the training images kept to judge by.")]
_Seed = Annotated[int, typer.Option(help="Of that split.")]
_Grayscale = Annotated[bool, typer.Option("--grayscale", help="Make image files grey.")]
_Quiet = Annotated[bool, typer.Option("--quiet", help="The result only, without words around it.")]


@app.command("list")
def list_(json: options.Json = False, quiet: _Quiet = False) -> None:
    """Show the data sets that have a name, and where a copy of each lies."""
    found = [(source, sources.find(source.name)) for source in catalog.SOURCES]
    if json:
        fields = [
            {
                "name": source.name,
                "title": source.title,
                "images": source.images,
                "path": path,
                "mirrors": source.mirrors,
            }
            for source, path in found
        ]
        emit_json("data", {"action": "list", "sources": fields})
        return
    if quiet:
        for source, _ in found:
            typer.echo(source.name)
        return
    rows = [
        (source.name, source.title, source.images, one_line(str(path)) if path else f"byhand data get {source.name}")
        for source, path in found
    ]
    _table(("name", "what", "images", "where, or how to get it"), rows)


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="A name from byhand data list.")],
    json: options.Json = False,
    quiet: _Quiet = False,
) -> None:
    """Fetch a data set, unless a copy is on the disk already, and say where it is."""
    there = sources.find(name)
    path = there or sources.get(name, quiet=quiet)
    if json:
        emit_json("data", {"action": "get", "name": name, "path": path, "fetched": there is None})
    elif quiet:
        typer.echo(one_line(str(path)))
    else:
        how = "was here already" if there else "fetched, and its SHA-256 is right"
        typer.echo(f"{name}: {one_line(str(path))} ({how})")


@app.command()
def info(
    source: _Source,
    valid: _Valid = 0.1,
    seed: _Seed = 42,
    size: options.Size = None,
    grayscale: _Grayscale = False,
    json: options.Json = False,
    quiet: _Quiet = False,
) -> None:
    """Show what is in a data set: its parts, images a class, size, range of pixels and content hash.

    Of shards every file is read and held against its checksum.
    """
    data = open_data(source, valid, seed, size=size, grayscale=grayscale)
    path = sources.find(source) if source in catalog.NAMES else Path(source).expanduser()
    fields = _fields(data, path)
    if json:
        emit_json("data", {"action": "info", **fields})
    elif quiet:
        typer.echo(data.hash)
    else:
        _show(data, fields)


@app.command("shard")
def shard_(
    source: _Source,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="The folder of the shards.")],
    valid: _Valid = 0.1,
    seed: _Seed = 42,
    size: options.Size = None,
    grayscale: _Grayscale = False,
    deformed: Annotated[
        int, typer.Option(metavar="N", help="Add N versions of each training image, slightly deformed.")
    ] = 0,
    json: options.Json = False,
    quiet: _Quiet = False,
) -> None:
    """Write a data set as shards, for training on more than fits into memory.

    The split into parts is made here, and the training images are put in a random order. Run the same command again to
    go on where it was stopped. byhand train DIR learns from the shards.
    """
    counter = _Counter(sys.stderr.isatty() and not json and not quiet)
    try:
        make_shards(source, out, Choices(valid, seed, size, grayscale, deformed), counter.tell)
    except KeyboardInterrupt:
        counter.end()
        typer.echo(f"byhand: interrupted; {one_line(str(out))} is half made; the same command goes on", err=True)
        raise typer.Exit(130) from None
    counter.end()
    data = open_data(out.absolute())
    parts = {"train": data.train, "valid": data.valid, "test": data.test}
    if json:
        sizes = {name: len(part) for name, part in parts.items()}
        emit_json("data", {"action": "shard", "source": source, "path": out, "parts": sizes, "hash": data.hash})
    elif quiet:
        typer.echo(one_line(str(out)))
    else:
        sizes = ", ".join(f"{len(part):,} {name}" for name, part in parts.items())
        typer.echo(f"{one_line(str(out))}: {sizes} images of {data.shape[0]}×{data.shape[1]} pixels, hash {data.hash}")
        typer.echo(f"next   byhand train {one_line(str(out))}")


class _Counter:
    """A line on a terminal that says how far it is."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.counts: dict[str, int] = {}

    def tell(self, what: str, rows: int) -> None:
        self.counts[what] = self.counts.get(what, 0) + rows
        if self.shown:
            said = ", ".join(f"{count:,} images {name}" for name, count in self.counts.items())
            sys.stderr.write(f"\r{said}")
            sys.stderr.flush()

    def end(self) -> None:
        if self.shown and self.counts:
            sys.stderr.write("\n")


def _fields(data: Dataset | Sharded, path: Path | None) -> dict[str, Any]:
    height, width = data.shape
    parts = {"train": data.train, "valid": data.valid, "test": data.test}
    return {
        "source": data.source,
        "path": path,
        "size": [int(height), int(width)],
        "classes": data.classes,
        "parts": {name: _part(part) for name, part in parts.items()},
        "hash": data.hash,
    }


def _part(part: Part | Shards) -> dict[str, Any]:
    if isinstance(part, Shards):
        return {"images": len(part), "counts": part.counts, "pixels": part.check(), "hash": part.hash}
    counts = np.bincount(part.labels, minlength=len(part.classes))  # (C,)
    pixels = [int(part.images.min()), int(part.images.max())] if len(part) else None
    return {"images": len(part), "counts": counts, "pixels": pixels, "hash": part.hash}


def _show(data: Dataset | Sharded, fields: dict[str, Any]) -> None:
    height, width = fields["size"]
    lines = [
        f"{one_line(data.source)}: {len(data.classes)} classes, {height}×{width} pixels of 0 to 255, grey",
        f"from {one_line(str(fields['path']))}",
        f"hash {data.hash}",
        "",
    ]
    typer.echo("\n".join(lines))
    parts = fields["parts"]
    rows = [
        (one_line(label), *(f"{int(part['counts'][index]):,}" for part in parts.values()))
        for index, label in enumerate(data.classes)
    ]
    rows.append(("all", *(f"{part['images']:,}" for part in parts.values())))
    ranges = [f"{part['pixels'][0]} to {part['pixels'][1]}" if part["pixels"] else "-" for part in parts.values()]
    rows.append(("pixels", *ranges))
    _table(("class", *parts), rows, numbers=True)


def _table(heading: tuple[str, ...], rows: list[tuple[str, ...]], numbers: bool = False) -> None:
    """A table for people: drawn by rich in a terminal, else plain columns with two blanks between them."""
    right = [numbers and column > 0 for column in range(len(heading))]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        table = Table()
        for name, flush in zip(heading, right, strict=True):
            table.add_column(name, justify="right" if flush else "left", overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        Console().print(table)
        return
    widths = [max(len(row[column]) for row in [heading, *rows]) for column in range(len(heading))]
    for row in [heading, *rows]:
        cells = [
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ]
        typer.echo("  ".join(cells).rstrip())
