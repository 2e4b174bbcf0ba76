"""Which rule finds the learning rate? The accuracy that each loses to an exhaustive grid, and what it costs.

Stated before any result:

* Tasks: the 13 below, from {linear, one hidden layer of 30 or 128} × {MNIST, its first 1,000 training rows, digits} ×
  {pixels/255, standardised by one mean and deviation, pixels 0 to 255} × {SGD, Adam}. Batches of 256, flat-cos, 20
  epochs of MNIST, 200 of the small sets. A seed draws the split, the start and the order.
* Oracle: the 53 rates 2^-20, 2^-19.5, ..., 2^6, each to the end of the run with seed 0 (only a loss that is no number
  ends one); the five best by validation accuracy again with seeds 1 to 4; the winner by the mean of the five.
* Finders choose, and are judged by the test accuracy, with the fresh seeds 10 to 14. Regret: how much the mean over
  these lacks of that of the best of the oracle's five rates. The winner's own regret is the noise floor.
* byhand is `--lr auto`; the four rules are those of its range test (one order, 1e-7 to 10, 100 steps: fastai's
  default); C/λ and 2/λ are of the whole training part and for SGD alone; a rule that suggests nothing gets 1e-3.
* A run diverged if its loss became no number, or ended within 1 % of the loss of guessing, log 10, or above it.

The constants of byhand's finder were chosen on validation parts of these data sets with seeds 100 to 103.

A task takes 1 to 10 minutes and is kept under runs/lr-finders; a second call goes on with those that are missing.
"""

import argparse
import json
import math
import multiprocessing
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure
import torch
from torch import Tensor

import byhand
from byhand.json_text import json_text
from byhand.loss import cross_entropy_with_grad
from byhand.lr_find.curvature import curvature
from byhand.lr_find.finder import auto_lr
from byhand.lr_find.range_test import RULES, range_test, suggest
from byhand.optim import set_lr

TASKS = [
    "linear mnist pixels sgd",
    "linear mnist standardised adam",
    "linear mnist-1000 0-255 sgd",
    "linear mnist-1000 pixels adam",
    "linear digits standardised sgd",
    "linear digits 0-255 adam",
    "30 mnist pixels sgd",
    "30 mnist pixels adam",
    "30 mnist-1000 standardised sgd",
    "30 mnist-1000 0-255 adam",
    "128 mnist-1000 pixels sgd",
    "128 digits standardised adam",
    "128 digits 0-255 sgd",
]
GRID = [2.0 ** (k / 2) for k in range(-40, 13)]
AGAIN, FRESH = (1, 2, 3, 4), (10, 11, 12, 13, 14)
BATCH = 256
KEPT = Path("runs/lr-finders")
FINDERS = ["byhand", *RULES, "C/λ", "2/λ", "0.1", "0.01", "0.001"]


@dataclass(frozen=True)
class Task:
    """A task by its name, and what belongs to one of its seeds."""

    name: str

    def parts(self, seed: int) -> list[tuple[Tensor, Tensor]]:
        """Inputs and labels of the training, the validation and the test part."""
        _, data, scaling, _ = self.name.split()
        whole = byhand.load("digits" if data == "digits" else measure.data_folder(), seed=seed)
        parts = [(torch.as_tensor(p.images).flatten(1), torch.as_tensor(p.labels)) for p in (whole.train, whole.valid)]
        parts.append((torch.as_tensor(whole.test.images).flatten(1), torch.as_tensor(whole.test.labels)))
        if data == "mnist-1000":
            parts[0] = parts[0][0][:1000], parts[0][1][:1000]
        if scaling == "pixels":
            return parts  # bytes, which byhand's layers take for x / 255
        shift, scale = 0.0, 1.0
        if scaling == "standardised":
            shift, scale = parts[0][0].float().mean().item(), parts[0][0].float().std().item()
        return [((x.float() - shift) / scale, y) for x, y in parts]

    @property
    def epochs(self) -> int:
        return 20 if " mnist " in self.name else 200

    def model(self, pixels: int, seed: int) -> byhand.Sequential:
        kind = self.name.split()[0]
        if kind == "linear":
            return byhand.LinearClassifier(pixels, 10)
        return byhand.MLP(pixels, [int(kind)], 10, generator=torch.Generator().manual_seed(seed))

    @property
    def opt_func(self) -> Any:
        return byhand.Adam if self.name.endswith("adam") else byhand.SGD


@torch.inference_mode()
def train(task: Task, parts: list[tuple[Tensor, Tensor]], lr: float, seed: int) -> dict[str, Any]:
    """One run by the Learner's five steps, without its evaluations between epochs; how good it is at the end."""
    start, (x, y) = time.perf_counter(), parts[0]
    model = task.model(x.shape[1], seed)
    opt, rate = task.opt_func(model.parameters()), byhand.flat_cos(lr)
    loader = byhand.DataLoader((x, y), BATCH, shuffle=True, generator=torch.Generator().manual_seed(seed))
    total, step, finite = task.epochs * len(loader), 0, True
    for _ in range(task.epochs):
        for xb, yb in loader:
            set_lr(opt, rate(step / total))
            loss, grad = cross_entropy_with_grad(model(xb), yb)
            model.backward(grad)
            opt.step()
            opt.zero_grad()
            step += 1
        finite = math.isfinite(loss.item())
        if not finite:
            break
    seconds = time.perf_counter() - start
    logits = [torch.cat([model(rows) for rows in part[0].split(1024)]) for part in parts]
    train_loss = byhand.cross_entropy(logits[0], y).item()
    right = [(z.argmax(1) == part[1]).float().mean().item() for z, part in zip(logits, parts, strict=True)]
    lost = not (finite and train_loss < 0.99 * math.log(10))
    return {"lr": lr, "seed": seed, "valid": right[1], "test": right[2], "diverged": lost, "seconds": seconds}


def choices(task: Task, parts: list[tuple[Tensor, Tensor]], seed: int) -> dict[str, tuple[float, int, float]]:
    """What each finder chooses for a seed: the rate, the steps it made, the seconds it took."""
    x, y = parts[0]
    loader = byhand.DataLoader((x, y), BATCH, shuffle=True, generator=torch.Generator().manual_seed(seed))
    model = task.model(x.shape[1], seed)
    learn = byhand.Learner(byhand.DataLoaders(loader), model, opt_func=task.opt_func, quiet=True)
    start = time.perf_counter()
    lr = auto_lr(learn, task.epochs, byhand.flat_cos).lr
    seconds = time.perf_counter() - start
    steps = learn.lr_find(num_it=1, orders=1, n_epoch=task.epochs, schedule=byhand.flat_cos).steps
    found = {"byhand": (lr, steps, seconds)}
    with learn.rehearsal(100) as rehearsal:
        start = time.perf_counter()
        rates, losses = range_test(rehearsal, 1e-7, 10, 100, stop_div=True, seed=0)
        seconds = time.perf_counter() - start
    for name, rule in RULES.items():
        found[name] = suggest(rule, rates, losses, 100) or 1e-3, len(rates), seconds
    if task.opt_func is byhand.SGD:
        start = time.perf_counter()
        eigenvalue = curvature(x, 10**12)
        seconds = time.perf_counter() - start
        found["C/λ"], found["2/λ"] = (10 / eigenvalue, 0, seconds), (2 / eigenvalue, 0, seconds)
        found["0.1"] = 0.1, 0, 0.0
    found["0.01"], found["0.001"] = (0.01, 0, 0.0), (0.001, 0, 0.0)
    return found


def oracle(task: Task) -> dict[str, Any]:
    """All rates once, the best five again, and the winner; kept, since it does not depend on any finder."""
    kept = file_of(f"grid {task.name}")
    if kept.exists():
        return json.loads(kept.read_text("utf-8"))
    start, parts = time.perf_counter(), task.parts(0)
    grid = [train(task, parts, lr, 0) for lr in GRID]
    best = sorted(grid, key=lambda run: (-run["valid"], run["lr"]))[:5]
    again = [[run] for run in best]
    for seed in AGAIN:
        parts = task.parts(seed)
        for runs in again:
            runs.append(train(task, parts, runs[0]["lr"], seed))
    winner = max(again, key=lambda runs: statistics.mean(run["valid"] for run in runs))[0]["lr"]
    seconds = time.perf_counter() - start
    record = {"winner": winner, "candidates": [run["lr"] for run in best], "grid": grid, "seconds": seconds}
    keep(kept, record)
    return record


def measured(name: str) -> str:
    """Run a task, keep what came of it, and return its name."""
    torch.set_num_threads(1)
    task, start = Task(name), time.perf_counter()
    known = oracle(task)
    fresh: dict[str, list[dict[str, Any]]] = {}
    total = 0
    for seed in FRESH:
        parts = task.parts(seed)
        total = task.epochs * math.ceil(len(parts[0][0]) / BATCH)
        runs: dict[float, dict[str, Any]] = {}
        for lr in known["candidates"]:
            runs[lr] = train(task, parts, lr, seed)
            fresh.setdefault(f"candidate {lr:.3g}", []).append(runs[lr])
        for finder, (lr, steps, seconds) in choices(task, parts, seed).items():
            runs[lr] = runs.get(lr) or train(task, parts, lr, seed)
            fresh.setdefault(finder, []).append(runs[lr] | {"steps": steps, "finding": seconds})
    record = {"task": name, "total": total, "winner": known["winner"], "grid": known["grid"], "fresh": fresh}
    record["seconds"] = known["seconds"] + time.perf_counter() - start
    keep(file_of(name), record)
    return name


def keep(file: Path, record: dict[str, Any]) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    file.write_text(json_text(record), encoding="utf-8")


def file_of(name: str) -> Path:
    return KEPT / f"{name.replace(' ', '_')}.json"


def mean_test(runs: list[dict[str, Any]]) -> float:
    return 100 * statistics.mean(run["test"] for run in runs)


def rows_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a finder of one task, the grid's winner first."""
    fresh, total = record["fresh"], record["total"]
    candidates = {name: runs for name, runs in fresh.items() if name.startswith("candidate")}
    top = max(mean_test(runs) for runs in candidates.values())
    rows = []
    for finder, runs in {"grid": candidates[f"candidate {record['winner']:.3g}"], **fresh}.items():
        if finder in candidates:
            continue
        tests, rates = [100 * run["test"] for run in runs], [run["lr"] for run in runs]
        rows.append(
            {
                "task": record["task"],
                "finder": finder,
                "regret": top - mean_test(runs),
                "test": mean_test(runs),
                "sd": statistics.stdev(tests),
                "rates": (min(rates), max(rates)),
                "diverged": sum(run["diverged"] for run in runs),
                "cost": 100 * statistics.mean(run.get("steps", 0) for run in runs) / total,
                "time": 100 * statistics.mean(run.get("finding", 0.0) / run["seconds"] for run in runs),
                "n": len(runs),
            }
        )
    return rows


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def table(records: list[dict[str, Any]]) -> list[str]:
    """The summary over tasks, a line a finder; then every task, a line a finder."""
    rows = [row for record in records for row in rows_of(record)]
    lines = [
        f"{len(records)} of {len(TASKS)} tasks; regret in points of test accuracy, of the mean over {len(FRESH)} seeds",
        "",
        f"{'finder':10}{'tasks':>6}{'median':>8}{'95 %':>8}{'worst':>8}{'diverged':>11}"
        f"{'cost, % of the steps':>22}{'of the time':>13}",
    ]
    for finder in ["grid", *FINDERS]:
        mine = [row for row in rows if row["finder"] == finder]
        if not mine:
            continue
        regrets = [row["regret"] for row in mine]
        lost, runs = sum(row["diverged"] for row in mine), sum(row["n"] for row in mine)
        lines.append(
            f"{finder:10}{len(mine):>6}{statistics.median(regrets):>8.2f}{percentile(regrets, 0.95):>8.2f}"
            f"{max(regrets):>8.2f}{f'{lost} of {runs}':>11}"
            + (
                f"{measure.spread((row['cost'] for row in mine), lambda x: f'{x:.1f}'):>22}"
                f"{statistics.median(row['time'] for row in mine):>13.1f}"
                if finder != "grid"
                else f"{'(53 runs and 20)':>22}"
            )
        )
    for record in records:
        lines += [
            "",
            f"{record['task']}: the grid's best {record['winner']:.3g}; {record['total']} steps, "
            f"{record['seconds']:.0f} s for all",
            f"    {'finder':10}{'regret':>8}{'test accuracy ± sd':>22}{'rates':>22}{'diverged':>11}{'cost, %':>9}",
        ]
        for row in rows_of(record):
            low, high = row["rates"]
            spread = f"{row['test']:.2f} ± {row['sd']:.2f} %"
            rates = f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"
            diverged = f"{row['diverged']} of {row['n']}"
            lines.append(
                f"    {row['finder']:10}{row['regret']:>8.2f}{spread:>22}{rates:>22}{diverged:>11}{row['cost']:>9.1f}"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--task", action="append", choices=TASKS, help="run this one, may be given again  [all]")
    parser.add_argument("--processes", type=int, default=2, help="of one thread each  [2]")
    parser.add_argument("--save", action="store_true", help="keep what is printed in benchmarks/results")
    args = parser.parse_args()
    missing = [name for name in args.task or TASKS if not file_of(name).exists()]
    missing.sort(key=lambda name: " mnist " not in name)  # the longest first
    with multiprocessing.get_context("spawn").Pool(args.processes) as pool:
        for name in pool.imap_unordered(measured, missing, chunksize=1):
            print(f"{name}: done", file=sys.stderr)
    records = [json.loads(file_of(name).read_text("utf-8")) for name in TASKS if file_of(name).exists()]
    measure.report("lr-finders", [measure.versions("torch", "numpy"), "", *table(records)], args.save)


if __name__ == "__main__":
    main()
