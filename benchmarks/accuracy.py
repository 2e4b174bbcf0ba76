"""How good do byhand's defaults get? Test accuracy on MNIST as the mean over seeds: of split, start and order.

Each row is a ``byhand train`` command line as a user types it. This script opens the test part, only to report.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, stdev

import measure
import torch

import byhand
from byhand.data.loader import DataLoader
from byhand.recipe import load_run

ROWS = {
    "": (5, "bar: at least 92.2"),
    "--model mlp --hidden 30 --epochs 20": (5, "bar: 96.0 to 96.7"),
    "--hidden 512 --valid 0": (3, "bar: at least 98.3"),
}


def test_accuracy(folder: Path, options: list[str], seed: int, test: byhand.Part) -> tuple[float, float]:
    """Train a run in ``folder`` by the command line; its accuracy on the test part, and the seconds it took."""
    command = [sys.executable, "-m", "byhand", "train", str(measure.data_folder()), *options, "--seed", str(seed)]
    command += ["--json", "--out", str(folder)]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    model, _ = load_run(folder)
    hits = sum(int((model(xb).argmax(1) == yb).sum()) for xb, yb in DataLoader(test, 256).in_order(4096, raw=True))
    return hits / len(test), result["seconds"]


def main() -> None:
    args = measure.options(__doc__, rounds=0)
    test = byhand.load(measure.data_folder()).test
    lines = [
        measure.versions("torch", "numpy") + f"; {torch.get_num_threads()} threads",
        "",
        f"{'byhand train MNIST ...':44}{'test accuracy, mean ± sd':28}{'range':20}{'n':4}{'seconds, training':20}",
    ]
    for text, (seeds, bar) in ROWS.items():
        with tempfile.TemporaryDirectory() as scratch:
            runs = [test_accuracy(Path(scratch) / str(seed), text.split(), seed, test) for seed in range(seeds)]
        values, seconds = zip(*runs, strict=True)
        spread = f"{100 * mean(values):.2f} ± {100 * stdev(values):.2f} %"
        bounds = f"{100 * min(values):.2f} to {100 * max(values):.2f}"
        lines.append(f"{text or '(nothing else)':44}{spread:28}{bounds:20}{seeds:<4}{mean(seconds):<20.1f}{bar}")
        print(lines[-1], file=sys.stderr)
    measure.report("accuracy", lines, args.save)


if __name__ == "__main__":
    main()
