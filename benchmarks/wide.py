"""How much memory, and how long, does a step of a linear layer with a billion weights take?

The second seed's text speaks of pictures of 1000 × 1000 pixels and 1000 classes. byhand's learner makes its steps there
in a process that the system lets have 5 GB of memory of its own; at a tenth of the size PyTorch's own layer, autograd
and SGD stand beside it. Each rival runs in a process of its own, which tells its peak.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import measure

LIMIT = 5 * 10**9  # bytes
SIZES = {"tenth": (10**6, 100), "whole": (10**6, 1000)}  # pixels, classes


def child(rival: str, pixels: int, classes: int, batch: int, steps: int) -> None:
    """Make steps on random pictures; print seconds of each and the process's peak as JSON."""
    import torch

    generator = torch.Generator().manual_seed(0)
    rows = batch * (steps + 1)
    x = torch.randint(0, 256, (rows, pixels), dtype=torch.uint8, generator=generator)
    y = torch.arange(rows) * 7919 % classes
    seconds = []
    if rival == "byhand":
        import byhand
        from byhand.data.loader import DataLoader

        learn = byhand.Learner(
            byhand.DataLoaders(DataLoader((x, y), batch)), byhand.LinearClassifier(pixels, classes), quiet=True
        )
        opt = learn.optimizer()
        opt.lr = 1e-3

        def step(xb: torch.Tensor, yb: torch.Tensor) -> float:
            with torch.inference_mode():
                return learn._step(opt, xb, yb).item()
    else:
        model = torch.nn.Linear(pixels, classes)
        with torch.no_grad():
            model.weight.zero_()
            model.bias.zero_()
        sgd = torch.optim.SGD(model.parameters(), lr=1e-3)

        def step(xb: torch.Tensor, yb: torch.Tensor) -> float:
            loss = torch.nn.functional.cross_entropy(model(xb.float() / 255), yb)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            return loss.item()

    for i in range(steps + 1):
        part = slice(i * batch, (i + 1) * batch)
        start = time.perf_counter()
        step(x[part], y[part])
        if i:  # the first one fetches the memory
            seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak": peak}))


def run(rival: str, size: str, batch: int, steps: int, limit: int | None = None) -> dict[str, Any] | None:
    """One rival in a process of its own; None if the limit of memory was too little for it."""
    pixels, classes = SIZES[size]
    command = [sys.executable, __file__, "--child", rival, str(pixels), str(classes), str(batch), str(steps)]

    def limited() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited, check=False)
    if done.returncode:
        if limit and ("memory" in done.stderr.lower() or done.returncode < 0):
            return None
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--child"]:
        rival, *numbers = sys.argv[2:]
        child(rival, *map(int, numbers))
        return
    args: argparse.Namespace = measure.options(__doc__, rounds=3)
    lines = [
        "A linear layer too wide to be held twice: seconds a step, and the peak of resident memory, a process each.",
        measure.versions("torch"),
        "",
        f"{'':52}{'batch':>6}  {'a step, median (min to max)':32}{'peak':>9}  of it weights and pictures",
    ]
    ratios: list[tuple[list[float], list[float]]] = []
    for batch in (16, 128):
        found: dict[str, list[dict[str, Any]]] = {"byhand": [], "torch": []}
        for _ in range(args.rounds):
            for rival, results in found.items():
                result = run(rival, "tenth", batch, 3)
                if result:
                    results.append(result)
        for rival, results in found.items():
            name = "byhand" if rival == "byhand" else "nn.Linear, autograd, torch.optim.SGD"
            lines.append(_row(f"10⁸ weights, {name}", batch, results, "tenth"))
        slow, fast = (
            [statistics.median(result["seconds"]) for result in found[rival]] for rival in ("torch", "byhand")
        )
        ratios.append((slow, fast))
    for batch, (slow, fast) in zip((16, 128), ratios, strict=True):
        lines.append(f"PyTorch's step takes {measure.ratio(slow, fast)} times byhand's, in batches of {batch}")
    lines.append("")
    for batch in (16, 128):
        result = run("byhand", "whole", batch, 3, LIMIT)
        lines.append(
            _row(f"10⁹ weights, byhand, at most {LIMIT / 1e9:.0f} GB", batch, [result] if result else [], "whole")
        )
    result = run("torch", "whole", 16, 1, LIMIT)
    lines.append(_row(f"10⁹ weights, nn.Linear, at most {LIMIT / 1e9:.0f} GB", 16, [result] if result else [], "whole"))
    measure.report(Path(__file__).stem, lines, args.save)


def _row(name: str, batch: int, results: list[dict[str, Any]], size: str) -> str:
    if not results:
        return f"{name:52}{batch:>6}  did not fit"
    seconds = [s for result in results for s in result["seconds"]]
    peak = max(result["peak"] for result in results)
    pixels, classes = SIZES[size]
    held = 4 * pixels * classes + batch * (len(results[0]["seconds"]) + 1) * pixels
    spread = measure.spread(seconds, lambda s: f"{s:.2f} s")
    return f"{name:52}{batch:>6}  {spread:32}{peak / 1e9:6.2f} GB  {held / 1e9:.2f} GB"


if __name__ == "__main__":
    main()
