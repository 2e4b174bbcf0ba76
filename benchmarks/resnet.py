"""What an epoch of ResNet-18 costs, and which of the ways to save time save any.

Batches of 256 images of MNIST, a step each: three stems (ImageNet's, stride 2 with a max pool, which leaves 7 × 7 of
28 × 28; stride 2 alone, 14 × 14; neither, 28 × 28), the channels first or last in memory,
answers in float32 and in bfloat16, the body frozen. The ways take turns, round after round.
"""

from collections.abc import Callable

import measure
import torch

import byhand
from byhand.data.loader import loaders
from byhand.threads import multiplies_bfloat16

BATCH, STEPS = 256, 2
STEMS = {"stride 2 and pool, 7 × 7": (2, True), "stride 2, 14 × 14": (2, False), "stride 1, 28 × 28": (1, False)}


def make(stride: int, pools: bool, half: bool, last: bool, frozen: bool = False) -> byhand.ResNet18:
    """A network with a stem of that kind."""
    model = byhand.ResNet18((28, 28), 10, torch.Generator().manual_seed(0))
    model.conv1.stride, model.pools, model.mixed = (stride, stride), pools, half
    for name, p in model.named_parameters():
        p.requires_grad_(not frozen or name.startswith("fc."))
    return model.to(memory_format=torch.channels_last if last else torch.contiguous_format)


def steps(model: byhand.ResNet18, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> Callable[[], None]:
    """A step a batch, as ``Learner`` makes it."""
    opt = byhand.SGD([p for p in model.parameters() if p.requires_grad], lr=0.01, momentum=0.9)

    def run() -> None:
        model.train()
        for xb, yb in batches:
            byhand.cross_entropy(model(xb), yb).backward()
            opt.step()
            opt.zero_grad()

    return run


def answers(model: byhand.ResNet18, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> Callable[[], None]:
    """The same batches, answered only."""

    def run() -> None:
        model.eval()
        with torch.inference_mode():
            for xb, _ in batches:
                model(xb)

    return run


def main() -> None:
    args = measure.options(__doc__, rounds=3)
    data = byhand.load(measure.data_folder())
    dl = loaders(data.train, data.valid, BATCH).train
    batches = [pair for pair, _ in zip(dl, range(STEPS), strict=False)]
    rivals: dict[str, Callable[[], None]] = {}
    for stem, (stride, pools) in STEMS.items():
        for last in (False, True):
            name = f"{stem}, channels {'last' if last else 'first'}"
            rivals[name] = steps(make(stride, pools, False, last), batches)
        for half in (False, True):
            name = f"{stem}, answers only, {'bfloat16' if half else 'float32'}"
            rivals[name] = answers(make(stride, pools, half, False), batches)
    for name, (stride, pools) in list(STEMS.items())[:2]:
        rivals[f"{name}, the body frozen"] = steps(make(stride, pools, False, False, frozen=True), batches)
    seconds = measure.in_turn(rivals, args.rounds)
    epoch = len(data.train) / (BATCH * STEPS)
    fast = "multiplies" if multiplies_bfloat16(torch.device("cpu")) else "does not multiply"
    lines = [
        measure.versions("torch") + f"; {torch.get_num_threads()} threads, n = {args.rounds}; it {fast} bfloat16 fast",
        f"batches of {BATCH}; an epoch is {len(data.train):,} images",
        f"{'':58}{'a step, median (min to max)':36}an epoch",
    ]
    for name, values in seconds.items():
        a_step = measure.spread((value / STEPS for value in values), measure.milliseconds)
        lines.append(f"{name:58}{a_step:36}{epoch * sorted(values)[len(values) // 2]:.0f} s")
    measure.report("resnet", lines, args.save)


if __name__ == "__main__":
    main()
