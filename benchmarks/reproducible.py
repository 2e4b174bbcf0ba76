"""Do the same settings give the same bits: repeated, and at other numbers of threads?

Each run is a process of its own, on MNIST. With ``--reproducible`` the files that it writes are compared; without it,
the largest difference of a weight and of a logit, and the test images that get another name.
"""

import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import measure
import torch

import byhand
from byhand.runs import load_run

THREADS = (1, 2, 4, 8)
REPEATS = 20
MODELS = {
    "linear": ["--epochs", "3", "--lr", "0.3"],
    "784-512-10, dropout, Adam": [
        "--hidden",
        "512",
        "--dropout",
        "0.2",
        "--opt",
        "adam",
        "--epochs",
        "2",
        "--lr",
        "0.001",
    ],
}


def run(folder: Path, threads: int, *options: str) -> Path:
    """Train on so many threads."""
    some = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    command = [sys.executable, "-m", "byhand", "train", str(measure.data_folder()), *options, "--out", str(folder)]
    subprocess.run([*command, "--quiet"], env=os.environ | some, check=True, stdout=subprocess.DEVNULL)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """What a run wrote, but for its times and the record that names the number of threads."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name not in ("times.json", "run.json")}


def difference(first: Path, second: Path, images: torch.Tensor) -> tuple[float, float, int]:
    """The largest difference of a weight and of a logit (N, C), and how many images get another name."""
    models = [load_run(folder)[0] for folder in (first, second)]
    weights = max(
        float((a - b).abs().max()) for a, b in zip(*(model.state_dict().values() for model in models), strict=True)
    )
    with torch.inference_mode():
        logits = [model(images) for model in models]
    flips = int((logits[0].argmax(1) != logits[1].argmax(1)).sum())
    return weights, float((logits[0] - logits[1]).abs().max()), flips


def main() -> None:
    """Print the table."""
    args = measure.options(__doc__, rounds=1)
    test = byhand.load(measure.data_folder()).test
    images = torch.as_tensor(test.images.reshape(len(test), -1))  # (N, P)
    lines = [
        "Do the same settings give the same bits? MNIST, each run a process.",
        measure.versions("torch", "numpy"),
        "",
    ]
    with tempfile.TemporaryDirectory() as name:
        folders = (Path(name) / str(number) for number in itertools.count())
        for model, options in MODELS.items():
            first = run(next(folders), 2, *options)
            same = 1 + sum(files(run(next(folders), 2, *options)) == files(first) for _ in range(REPEATS - 1))
            lines.append(f"{model}: {same} of {REPEATS} repeats on 2 threads wrote the same files")
            steady = [run(next(folders), threads, *options, "--reproducible") for threads in THREADS]
            same = sum(files(folder) == files(steady[0]) for folder in steady)
            lines.append(f"  --reproducible, on 1, 2, 4 and 8 threads: {same} of {len(THREADS)} wrote the same files")
            plain = {threads: run(next(folders), threads, *options) for threads in THREADS}
            for threads in THREADS[1:]:
                weight, logit, flips = difference(plain[1], plain[threads], images)
                lines.append(
                    f"  without it, {threads} threads against 1: a weight differs by at most {weight:.1e}, a logit by "
                    f"{logit:.1e}; {flips} of {len(test):,} test images get another name"
                )
    measure.report(Path(__file__).stem, lines, args.save)


if __name__ == "__main__":
    main()
