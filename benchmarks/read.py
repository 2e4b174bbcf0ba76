"""How long until the images are an array? IDX files, 70,000 PNG files and a CSV file, read first and once more.

The PNG tree and the CSV (Kaggle's form, 42,000 rows) are written from MNIST into a temporary folder. The rivals take
turns; the system's own cache of files is warm for all. ``load`` is what ``byhand train`` calls: it reads, hashes and
splits, and its second call maps what the first one left in byhand's cache. The seeds' expression is
``torch.stack([tensor(Image.open(o)).float()/255 for o in files])``; fastai's ``tensor`` of an image is
``torch.from_numpy`` of its array.
"""

import gzip
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import measure
import numpy as np
import torch
from PIL import Image

from byhand.data.folder import list_images, read_image_folder
from byhand.data.idx import read_idx_folder
from byhand.data.load import load
from byhand.data.table import read_csv

Rivals = dict[str, Callable[[], object]]


def write_png(source: Path, folder: Path) -> None:
    """The 70,000 digits as fastai lays them out: training/7/123.png."""
    raw = read_idx_folder(source)
    for part, rows in (("training", raw.train), ("testing", raw.test)):
        assert rows is not None  # noqa: S101
        for label in raw.classes:
            (folder / part / label).mkdir(parents=True)
        for number, (image, label) in enumerate(zip(rows.images, rows.labels.tolist(), strict=True)):
            Image.fromarray(image).save(folder / part / str(label) / f"{number}.png")


def write_csv(source: Path, file: Path) -> None:
    """The first 42,000 digits in the form of Kaggle's train.csv."""
    rows = read_idx_folder(source).train
    names = ["label", *(f"pixel{pixel}" for pixel in range(784))]
    with file.open("w", encoding="ascii") as out:
        print(*names, sep=",", file=out)
        for image, label in zip(rows.images[:42_000], rows.labels[:42_000].tolist(), strict=True):
            print(label, *image.ravel().tolist(), sep=",", file=out)


def first_and_second(path: Path, home: Path) -> Rivals:
    """``load`` without and with what byhand keeps of an earlier read."""

    def first() -> object:
        shutil.rmtree(home, ignore_errors=True)
        return load(path)

    return {"byhand, load, first": first, "byhand, load, second": lambda: load(path)}


def plain_idx(folder: Path) -> object:
    """What gzip and numpy.frombuffer take, with no check of anything."""
    parts = (("train", 16, "images-idx3"), ("train", 8, "labels-idx1"), ("t10k", 16, "images-idx3"))
    return [
        np.frombuffer(gzip.open(folder / f"{part}-{kind}-ubyte.gz").read(), np.uint8, offset=skip)
        for part, skip, kind in parts
    ]


def seeds(files: list[str]) -> object:
    """The second seed's expression."""
    return torch.stack([torch.from_numpy(np.array(Image.open(file))).float() / 255 for file in files])


def pillow(files: list[str]) -> object:
    """The same without floats: what people write who know NumPy."""
    return np.stack([np.asarray(Image.open(file)) for file in files])


def table(title: str, seconds: dict[str, list[float]], against: str) -> list[str]:
    """One block of the report; ratios are to ``against``, within each round."""
    lines = [f"{title:36} {'median (smallest to largest)':>36}   {against} takes, times as long"]
    lines += [
        f"  {name:34} {measure.spread(times, measure.milliseconds):>36}   {measure.ratio(seconds[against], times)}"
        for name, times in seconds.items()
    ]
    return [*lines, ""]


def main() -> None:
    """Measure and report."""
    options = measure.options(__doc__, rounds=3)
    idx = measure.data_folder()
    if not list(idx.glob("train-images-idx3-ubyte*")):
        idx /= "mnist"
    packages = ["byhand", "numpy", "torch", "pillow"]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        home = work / "home"
        os.environ["BYHAND_HOME"] = str(home)
        png, csv = work / "mnist_png", work / "train.csv"
        write_png(idx, png)
        write_csv(idx, csv)
        files = list_images(png).files()

        blocks: list[str] = []
        rivals: Rivals = {"gzip and numpy": lambda: plain_idx(idx), "byhand, reader": lambda: read_idx_folder(idx)}
        seconds = measure.in_turn(rivals | first_and_second(idx, home), options.rounds)
        blocks += table("IDX, 70,000 digits, gzipped", seconds, "gzip and numpy")

        rivals = {
            "the seeds' expression": lambda: seeds(files),
            "Pillow and numpy": lambda: pillow(files),
            "byhand, reader": lambda: read_image_folder(png),
        }
        seconds = measure.in_turn(rivals | first_and_second(png, home), options.rounds)
        blocks += table(f"PNG, {len(files):,} files", seconds, "the seeds' expression")

        rivals = {"byhand, reader": lambda: read_csv(csv)}
        against = "byhand, reader"
        if importlib.util.find_spec("pandas"):
            import pandas as pd

            rivals = {"pandas": lambda: pd.read_csv(csv).to_numpy()} | rivals
            against = "pandas"
            packages.append("pandas")
        else:
            blocks.append("pandas is not installed and was left out: pip install pandas")
        seconds = measure.in_turn(rivals | first_and_second(csv, home), options.rounds)
        blocks += table("CSV, 42,000 rows of 785", seconds, against)

    heading = [
        f"Reading MNIST; n = {options.rounds} rounds, the rivals in turn, after one to warm up.",
        measure.versions(*packages),
        "",
    ]
    measure.report("read", [*heading, *blocks[:-1]], options.save)


if __name__ == "__main__":
    main()
