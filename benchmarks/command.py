"""How long does one wait for `byhand train mnist --epochs 5`? The whole command, beside programs that do the same.

From starting Python to the prompt, in turn: imports, reading the images, a rate (byhand finds it, the others are given
one), five epochs of a linear classifier with both parts judged after each, and the weights on the disk. The programs
stand in benchmarks/command_programs as people write them. A program that only imports torch shows what none of those
that use it can go below. All find the files in the system's memory, and byhand its cache of them, since a round goes
before.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import measure

PROGRAMS = Path(__file__).with_name("command_programs")
OURS = "byhand train mnist --epochs 5"


def run(*command: str) -> Callable[[], None]:
    """A process of its own, its output read by nobody; its last argument is where its result goes."""

    def once() -> None:
        with tempfile.TemporaryDirectory() as scratch:
            subprocess.run(
                [sys.executable, *command, str(Path(scratch) / "result")],
                env=os.environ | {"BYHAND_DATA": str(measure.data_folder())},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
            )

    return once


def main() -> None:
    args = measure.options(__doc__, rounds=9)
    rivals = {
        OURS: run("-m", "byhand", "train", str(measure.data_folder()), "--epochs", "5", "--out"),
        "a plain PyTorch program with a DataLoader": run(str(PROGRAMS / "plain_torch.py")),
        "scikit-learn, MLPClassifier(())": run(str(PROGRAMS / "scikit_learn.py")),
        "import torch": run("-c", "import torch"),
    }
    seconds = measure.in_turn(rivals, args.rounds)
    lines = [
        measure.versions("torch", "numpy", "scikit-learn") + f"; n = {args.rounds}, median (smallest to largest)",
        "",
        f"{'':44}{'the whole command':28}times byhand's",
    ]
    for name, taken in seconds.items():
        told = measure.spread(taken, lambda s: f"{s:.2f} s")
        lines.append(f"{name:44}{told:28}{measure.ratio(taken, seconds[OURS])}")
    measure.report("command", lines, args.save)


if __name__ == "__main__":
    main()
