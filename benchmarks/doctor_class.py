"""Does the doctor grade a class of thirty in one command, survive what they handed in, and give the same grades twice?

``class_submissions/`` holds them: scripts, folders and a notebook in PyTorch and NumPy, right ones and ones with silent
bugs, judged on other rows than those of the test part, with a number that is made up, endless, ever growing, forking,
printing without end, crashing, writing and removing what they should not. ``EXPECTED`` says what becomes of each.
The data are scikit-learn's digits in IDX files. The command runs twice; a third time it is killed on its way.
"""

import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure
import numpy as np
from sklearn.datasets import load_digits

SUBMISSIONS = Path(__file__).with_name("class_submissions")
GOOD = "abel bach cantor dido euler fermat gauss hypatia ibsen jacobi ohm xenakis young zeno"
BAD = "kepler leibniz mersenne noether pascal quine"
EXPECTED = {
    **dict.fromkeys(GOOD.split(), "passes"),
    **dict.fromkeys(BAD.split(), "does not pass"),
    "archimedes": "it wrote or printed more than 256 MiB",
    "brahe": "PermissionError",
    "curie": "which program is meant?",
    "darwin": "no .py or .ipynb file",
    "riemann": "not done in",
    "stokes": "out of memory",
    "turing": "killed: more than 64 processes",
    "ulam": "AttributeError",
    "vieta": "this is no Python 3",
    "weyl": "missing package: tensorflow",
}
BUDGET = 40  # seconds for each program
KILLED_AFTER = 15.0  # seconds


def write_data(folder: Path) -> None:
    """Digits as MNIST comes: 1,297 rows to learn from, 500 to be judged by."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    for name, rows in (("train", order[:1297]), ("t10k", order[1297:])):
        for kind, array in (("images-idx3", images[rows].reshape(-1, 8, 8)), ("labels-idx1", labels[rows])):
            sizes = b"".join(length.to_bytes(4, "big") for length in array.shape)
            content = bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()
            (folder / f"{name}-{kind}-ubyte").write_bytes(content)


def command(data: Path, out: Path) -> list[str]:
    words = ["doctor", SUBMISSIONS, "--class", "--data", data, "--budget", BUDGET, "-o", out]
    return [sys.executable, "-m", "byhand", *map(str, words)]


def grade(data: Path, out: Path, temporary: Path) -> tuple[dict[str, dict[str, str]], float]:
    """The rows of one grading by name, and how long it took."""
    began = time.perf_counter()
    done = subprocess.run(
        command(data, out), env={**os.environ, "TMPDIR": str(temporary)}, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        sys.exit(f"the grading ended with status {done.returncode}: {done.stderr}")
    return read(out), time.perf_counter() - began


def read(out: Path) -> dict[str, dict[str, str]]:
    with out.open(newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def as_expected(name: str, row: dict[str, str]) -> bool:
    wanted = EXPECTED[name]
    if wanted in ("passes", "does not pass"):
        return (row["passed"] == "yes") == (wanted == "passes") and row["accuracy"] != ""
    return row["passed"] == "no" and wanted in row["ended"] and not row["accuracy"]


def left(mark: str) -> int:
    """Processes whose environment holds a text."""
    count = 0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            count += mark.encode() in (place / "environ").read_bytes()
        except OSError:
            continue
    return count


def killed(data: Path, out: Path, temporary: Path) -> str:
    """Kill a grading on its way, and say what is there afterwards."""
    process = subprocess.Popen(
        command(data, out),
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(KILLED_AFTER)
    process.send_signal(signal.SIGKILL)
    process.wait()
    until = time.monotonic() + 30
    while (left(str(temporary)) or any(temporary.iterdir())) and time.monotonic() < until:
        time.sleep(0.1)
    rows = len(read(out)) if out.exists() else 0
    return f"{rows} grades kept, {left(str(temporary))} processes and {len(list(temporary.iterdir()))} files left"


def main() -> None:
    args = measure.options(__doc__, rounds=0)
    with tempfile.TemporaryDirectory(prefix="byhand-benchmark-") as name:
        place = Path(name)
        data, temporary = place / "data", place / "temporary"
        data.mkdir()
        temporary.mkdir()
        write_data(data)
        before = {file.name: file.read_bytes() for file in data.iterdir()}
        first, seconds = grade(data, place / "first.csv", temporary)
        second, again = grade(data, place / "second.csv", temporary)
        processes, files = left(str(temporary)), len(list(temporary.iterdir()))
        untouched = {file.name: file.read_bytes() for file in data.iterdir()} == before
        after_kill = killed(data, place / "third.csv", temporary)
    same = sum({**row, "seconds": ""} == {**second[name], "seconds": ""} for name, row in first.items())
    right = sum(as_expected(name, row) for name, row in first.items())
    lines = [
        measure.versions("torch", "numpy") + f"; {len(os.sched_getaffinity(0))} at once, 1 thread each",
        f"{len(first)} submissions, digits, {BUDGET} s for each program; one thread, no experiments",
        "",
        f"{'name':12}{'passed':8}{'accuracy':>9}{'printed':>9}  {'rows, or how it ended':56}{'found'}",
    ]
    for name, row in first.items():
        told = row["rows"] if row["accuracy"] else row["ended"]
        found = "; ".join(filter(None, (row["errors"], row["warnings"])))
        line = f"{name:12}{row['passed']:8}{row['accuracy']:>9}{row['printed']:>9}  {told[:54]:56}{found}"
        lines.append(line.rstrip() + ("" if as_expected(name, row) else "   NOT AS EXPECTED"))
    lines += [
        "",
        f"as expected: {right} of {len(EXPECTED)}",
        f"the same grade twice: {same} of {len(first)}",
        f"one grading takes {seconds:.0f} s, and {again:.0f} s; the programs' own times add up to "
        f"{sum(float(row['seconds']) for row in first.values()):.0f} s",
        f"afterwards: {processes} processes, {files} files left; the data {'as they were' if untouched else 'CHANGED'}",
        f"killed after {KILLED_AFTER:.0f} s: {after_kill}",
    ]
    measure.report("doctor-class", lines, args.save)
    if right < len(EXPECTED) or same < len(first) or processes or files or not untouched:
        sys.exit(1)


if __name__ == "__main__":
    main()
