"""Training on more than memory holds: how much memory, how fast, how well shuffled, and what it is good for.

The data are "infinite MNIST" in the manner of Loosli, Canu and Bottou: the 54,000 training images of MNIST and 149
slightly deformed versions of each, 8,100,000 images, which ``byhand data shard --deformed 149`` writes. Each run is a
process of its own, and where Linux' control groups can be had (as root), its memory is limited to 1 GiB, in which the
pages of files that the system keeps for it are counted too.
"""

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measure

import byhand
from byhand.data.shards import Sharded

LIMIT = 1 << 30  # bytes
GROUP = Path(f"/sys/fs/cgroup/memory/byhand-{os.getpid()}")  # of the first version of control groups
WARM_UP = 500  # steps
MODELS: dict[str, list[int]] = {"linear 784-10": [], "784-30-10": [30], "784-512-10": [512]}


def child(task: str, data: str, *numbers: str) -> None:
    """Do a task of this process's name, and print what was measured as JSON, with the peak of its resident memory."""
    found = {"speed": speed, "learn": learn}[task](data, *map(int, numbers))
    print(json.dumps(found | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


def speed(data: str, in_memory: int, seconds: int, *hidden: int) -> dict[str, float]:
    """Images a second of steps of a learner, from shards or from memory, over so many seconds after a warm-up."""
    import torch

    from byhand.data.loader import loaders

    opened = shards_of(data)
    train = opened.train.first(len(opened.train)) if in_memory else opened.train
    model = byhand.MLP(784, hidden, 10) if hidden else byhand.LinearClassifier(784, 10)
    learn = byhand.Learner(loaders(train, opened.valid), model, quiet=True)
    opt, done, start = learn.optimizer(), 0, 0.0
    opt.lr = 0.1
    with torch.inference_mode(), learn._threads():
        learn._mode(training=True)
        for number, (xb, yb) in enumerate(learn._batches(learn.dls.train)):
            learn._step(opt, xb, yb)
            if number == WARM_UP:
                start = time.perf_counter()
            elif number > WARM_UP:
                done += len(yb)
                if time.perf_counter() - start > seconds:
                    break
        return {"speed": done / (time.perf_counter() - start)}


def learn(data: str, in_memory: int, seed: int, epochs: int, judge: int, *hidden: int) -> dict[str, float]:
    """Accuracy on the validation part, or on the test part to report it, after epochs with byhand's defaults."""
    from byhand.evaluate.opening import predict_probs
    from byhand.optim import flat_cos
    from byhand.recipe import prepare
    from byhand.settings import Settings

    opened = shards_of(data)
    settings = Settings(hidden=hidden or None, epochs=epochs, seed=seed).resolved()
    recipe = prepare(settings, opened.in_memory() if in_memory else opened, quiet=True)
    start = time.perf_counter()
    recipe.learn.fit_schedule(epochs, flat_cos(recipe.lr))
    seconds = time.perf_counter() - start
    part = opened.test if judge else opened.valid
    part = part.first(len(part))
    right = predict_probs(recipe.model.eval(), part).argmax(axis=1) == part.labels
    return {"accuracy": float(right.mean()), "seconds": seconds}


def shards_of(folder: str | Path) -> Sharded:
    """The data set in a folder of shards."""
    opened = byhand.open_data(folder)
    if not isinstance(opened, Sharded):
        sys.exit(f"{folder} holds no shards")
    return opened


def run(task: str, data: Path, *numbers: int, limited: bool = False) -> dict[str, Any]:
    """A task in a process of its own; in a control group of 1 GiB if it is to be ``limited``."""
    command = [sys.executable, __file__, "--child", task, str(data), *map(str, numbers)]
    join = (lambda: (GROUP / "cgroup.procs").write_text(str(os.getpid()))) if limited else None
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=join, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


@contextlib.contextmanager
def group() -> Iterator[bool]:
    """A control group whose processes have 1 GiB together; False where there are none."""
    try:
        GROUP.mkdir(exist_ok=True)
        (GROUP / "memory.limit_in_bytes").write_text(str(LIMIT))
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        GROUP.rmdir()


def make(folder: Path, versions: int) -> str:
    """Shards of MNIST and so many deformed versions of its training images; what it took."""
    if (folder / "shards.json").exists():
        return "was there already"
    start = time.perf_counter()
    command = [sys.executable, "-m", "byhand", "data", "shard", str(measure.data_folder()), "-o", str(folder)]
    subprocess.run([*command, "--deformed", str(versions), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    size = sum(file.stat().st_size for file in folder.iterdir())
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return f"{size / 1e9:.2f} GB in {time.perf_counter() - start:.0f} s, peak {peak / 2**20:.0f} MiB"


def forgotten() -> bool:
    """Whether the system could be made to forget the files that it has read."""
    try:
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("1")
    except OSError:
        return False
    return True


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where the shards are, or shall be  [a temporary one]")
    parser.add_argument("--rounds", type=int, default=3, help="how often each speed is measured  [3]")
    parser.add_argument("--seconds", type=int, default=10, help="of each  [10]")
    parser.add_argument("--seeds", type=int, default=3, help="of each accuracy  [3]")
    parser.add_argument("--versions", type=int, default=149, help="of each of the 54,000 images  [149]")
    parser.add_argument("--only", choices=TABLES, help="one of the tables, which has a file of its own then")
    parser.add_argument("--save", action="store_true", help="keep what is printed in benchmarks/results")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = args.folder or Path(name)
        place.mkdir(exist_ok=True)
        lines = ["Training on shards: infinite MNIST.", measure.versions("torch", "numpy")]
        with group() as grouped:
            for table in [args.only] if args.only else TABLES:
                lines += ["", *TABLES[table](place, args, grouped)]
    measure.report("-".join([Path(__file__).stem, *([args.only] if args.only else [])]), lines, args.save)


def table_of_speed(place: Path, args: argparse.Namespace, grouped: bool) -> list[str]:
    """Images a second, beside the same data in memory."""
    big = place / f"deformed-{args.versions}"
    lines = [f"byhand data shard --deformed {args.versions}: {make(big, args.versions)}"]
    rows = len(shards_of(big).train)
    lines.append(f"{rows:,} training images of 28×28, {rows * 784 / 1e9:.2f} GB of pixels")
    lines.append(f"Images a second in training, batches of 256; median (least to most), n = {args.rounds}:")
    peaks = []
    for name, hidden in MODELS.items():
        ratios, speeds = [], []
        for _ in range(args.rounds):
            shards = run("speed", big, 0, args.seconds, *hidden, limited=grouped)
            memory = run("speed", big, 1, args.seconds, *hidden)
            peaks.append((shards["peak"], memory["peak"]))
            speeds.append((shards["speed"], memory["speed"]))
            ratios.append(shards["speed"] / memory["speed"])
        ours, theirs = (statistics.median(column) for column in zip(*speeds, strict=True))
        lines.append(
            f"  {name:14} {ours:11,.0f} from shards, {theirs:11,.0f} from memory: "
            f"{measure.spread(ratios, lambda ratio: f'{ratio:.2f}')} of it"
        )
    for name, hidden in MODELS.items():
        if forgotten():
            cold = run("speed", big, 0, args.seconds, *hidden, limited=grouped)
            peaks.append((cold["peak"], 0))
            lines.append(f"  {name:14} {cold['speed']:11,.0f} from shards that the system has forgotten, from the disk")
    shards_peak, memory_peak = (max(column) / 2**20 for column in zip(*peaks, strict=True))
    how = "limited to 1,024 MiB, files' pages counted" if grouped else "not limited: no control groups here"
    return [*lines, f"peak resident memory: {shards_peak:,.0f} MiB from shards ({how}), {memory_peak:,.0f} from memory"]


def table_of_shuffling(place: Path, args: argparse.Namespace, _: bool) -> list[str]:
    """Accuracy after stretches, and after shuffles of all rows."""
    make(folder := place / "deformed-9", 9)
    lines = [
        f"Shuffled in stretches, or whole: {len(shards_of(folder).train):,} images, 2 epochs, validation part, "
        f"mean ± sd, n = {args.seeds}:"
    ]
    for name, hidden in list(MODELS.items())[:2]:
        said = []
        for in_memory in (0, 1):
            found = [run("learn", folder, in_memory, seed, 2, 0, *hidden)["accuracy"] for seed in range(args.seeds)]
            said.append(f"{100 * statistics.mean(found):.2f} ± {100 * statistics.stdev(found):.2f} %")
        lines.append(f"  {name:14} {said[0]} from shards, {said[1]} shuffled whole in memory")
    return lines


def table_of_use(place: Path, args: argparse.Namespace, grouped: bool) -> list[str]:
    """Test accuracy of an MLP after one pass over the deformed images, and after as many steps on the 54,000."""
    make(big := place / f"deformed-{args.versions}", args.versions)
    make(plain := place / "deformed-0", 0)
    lines = [f"What it is good for: 784-512-10, as many steps, test part, mean ± sd, n = {args.seeds}:"]
    for name, folder, passes in (("infinite MNIST", big, 1), ("its 54,000 images", plain, 1 + args.versions)):
        found = [run("learn", folder, 0, seed, passes, 1, 512, limited=grouped) for seed in range(args.seeds)]
        accuracy, seconds = ([each[what] for each in found] for what in ("accuracy", "seconds"))
        lines.append(
            f"  {name:18} {passes:3} epochs: {100 * statistics.mean(accuracy):.2f} ± "
            f"{100 * statistics.stdev(accuracy):.2f} %, {statistics.mean(seconds):.0f} s a run, "
            f"peak {max(each['peak'] for each in found) / 2**20:,.0f} MiB"
        )
    return lines


TABLES = {"speed": table_of_speed, "shuffling": table_of_shuffling, "use": table_of_use}


if __name__ == "__main__":
    main()
