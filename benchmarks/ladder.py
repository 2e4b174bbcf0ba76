"""How good does one get on MNIST, and by what? From chance to a residual network: test accuracy, the mean over seeds.

The first rows are computed; all others are ``byhand train`` command lines as a user types them. Their options were
chosen on the validation part, but ResNet-18's, which are the usual ones. This script opens the test part, only to
report.

With ``--save`` each finished run is at once a line of benchmarks/results/DATE-ladder.jsonl, or of the file that
``--into`` names, and what stands there is not made again: a night that is cut off goes on where it ended.
"""

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any, final

import measure
import torch
from torch import Tensor

import byhand
from byhand.data.loader import DataLoader
from byhand.evaluate.baselines import MajorityClass, NearestMean
from byhand.evaluate.ceiling import find_ceiling
from byhand.runs import load_run

Model = Callable[[Tensor], Tensor]


@final
@dataclass(frozen=True, slots=True)
class Row:
    """A step of the ladder: a function of the data, or the options of ``byhand train``."""

    name: str
    how: Callable[[], tuple[float, int]] | str
    seeds: int = 1
    bar: str = ""


def rows_and_labels(part: byhand.Part) -> tuple[Tensor, Tensor]:
    """All images (N, P) and labels (N,)."""
    return torch.as_tensor(part.images).flatten(1), torch.as_tensor(part.labels)


def on_test(model: Model, test: byhand.Part) -> float:
    """The accuracy on the test part."""
    hits = sum(int((model(xb).argmax(1) == yb).sum()) for xb, yb in DataLoader(test, 256).in_order(4096, raw=True))
    return hits / len(test)


def chance() -> tuple[float, int]:
    """Accuracy, and how many numbers were learnt."""
    data = byhand.load(measure.data_folder(), valid=0)
    return on_test(MajorityClass(rows_and_labels(data.train)[1], 10), data.test), 0


def nearest_mean() -> tuple[float, int]:
    """Likewise."""
    data = byhand.load(measure.data_folder(), valid=0)
    model = NearestMean(*rows_and_labels(data.train), 10)
    return on_test(model, data.test), model.weight.numel()


def linear_ceiling() -> tuple[float, int]:
    """Likewise; the penalty is chosen on the validation part, and then all 60,000 are learnt from."""
    found = find_ceiling(byhand.load(measure.data_folder()))
    return found.ceiling.accuracy.value, found.weight.numel()


_BEST = "--hidden 1024,1024 --batch-norm --momentum 0.9 --lr 0.1 --valid 0"
ROWS = {
    "chance": Row("always the commonest digit", chance),
    "nearest-mean": Row("nearest mean image", nearest_mean),
    "linear": Row("one linear layer", "", 5, "at least 92.2"),
    "linear-ceiling": Row("the linear ceiling", linear_ceiling),
    "784-30-10": Row("784-30-10", "--model mlp --hidden 30 --epochs 20", 5, "96.0 to 96.7"),
    "784-512-10": Row("784-512-10", "--hidden 512 --valid 0", 3, "at least 98.3"),
    "mlp": Row(
        "784-1024-1024-10, batch norm, dropout",
        f"{_BEST} --dropout 0.5 --input-dropout 0.2 --epochs 60",
        3,
        "at least 98.75",
    ),
    "mlp-augment": Row(
        "the same, with less dropout and deformed images",
        f"{_BEST} --dropout 0.2 --augment --epochs 120",
        3,
        "at least 99.4",
    ),
    "resnet18": Row(
        "ResNet-18, deformed images",
        "--model resnet18 --momentum 0.9 --weight-decay 0.0005 --augment --valid 0 --epochs 5",
        1,
        "on a GPU, at least 99.5",
    ),
}


def train(options: str, seed: int) -> dict[str, Any]:
    """Accuracy, parameters and seconds of a run by the command line, or why there is none."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        command = [sys.executable, "-m", "byhand", "train", str(measure.data_folder()), *options.split()]
        command += ["--seed", str(seed), "--json", "--out", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return {"failed": done.stderr.strip().splitlines()[-1:]}
        told = json.loads(done.stdout)
        test = byhand.load(measure.data_folder()).test
        return {
            "accuracy": on_test(load_run(folder)[0], test),
            "parameters": told["parameters"],
            "seconds": told["seconds"],
        }


def one(row: Row, options: str, seed: int) -> dict[str, Any]:
    """One line of the results."""
    start = time.perf_counter()
    if isinstance(row.how, str):
        return train(options, seed)
    accuracy, parameters = row.how()
    return {"accuracy": accuracy, "parameters": parameters, "seconds": time.perf_counter() - start}


def table(found: list[dict[str, Any]]) -> list[str]:
    """What the README shows: a line a row that has a result."""
    lines = [
        "| on MNIST | test accuracy | n | parameters | seconds | `byhand train mnist` … |",
        "|---|---|---|---|---|---|",
    ]
    for key, row in ROWS.items():
        runs = [line for line in found if line["row"] == key]
        if not runs:
            continue
        values = [100 * run["accuracy"] for run in runs]
        spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
        seconds = mean(run["seconds"] for run in runs)
        options = f"`{runs[0]['options']}`" if runs[0]["options"] else "" if isinstance(row.how, str) else "–"
        cells = [row.name, f"{mean(values):.2f}{spread} %", len(runs), f"{runs[0]['parameters']:,}", f"{seconds:.1f}"]
        lines.append(f"| {' | '.join(map(str, cells))} | {options} |")
    return lines


def options_of(row: Row, epochs: int | None) -> str:
    """What ``byhand train`` is told; nothing where a row is computed."""
    if not isinstance(row.how, str):
        return ""
    return row.how if epochs is None else f"{row.how} --epochs {epochs}".strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), help="these rows")
    parser.add_argument("--seeds", "--rounds", type=int, help="so many of each trained row, from 0 up")
    parser.add_argument("--epochs", type=int, help="so many for every trained row, for a try")
    parser.add_argument("--save", action="store_true", help="keep what is found in benchmarks/results")
    day = datetime.date.today()
    parser.add_argument(
        "--into", type=Path, default=measure.RESULTS / f"{day}-ladder.jsonl", help="where, line by line"
    )
    args = parser.parse_args()
    found: list[dict[str, Any]] = []
    if args.save and args.into.exists():
        found = [json.loads(line) for line in args.into.read_text(encoding="utf-8").splitlines()]
    for key in args.only:
        row = ROWS[key]
        options = options_of(row, args.epochs)
        for seed in range((args.seeds or row.seeds) if isinstance(row.how, str) else 1):
            about = {"row": key, "options": options, "seed": seed}
            if any(about.items() <= line.items() for line in found):
                continue
            line = about | one(row, options, seed) | {"machine": measure.versions("torch", "numpy")}
            print(json.dumps(line), file=sys.stderr)
            if "failed" in line:
                break
            found.append(line)
            if args.save:
                args.into.parent.mkdir(exist_ok=True)
                with args.into.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
    current = [line for line in found if line["options"] == options_of(ROWS[line["row"]], args.epochs)]
    threads = f"; {torch.get_num_threads()} threads"
    bars = [f"bar, {row.name}: {row.bar} %" for row in ROWS.values() if row.bar]
    measure.report("ladder", [measure.versions("torch", "numpy") + threads, "", *table(current), "", *bars], args.save)


if __name__ == "__main__":
    main()
