"""A process of ``distributed.py``: it reads what to do from its input, a line each, and answers with a line each."""

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import measure
import torch
from torch import Tensor, nn

import byhand
from byhand.data.loader import DataLoader
from byhand.distributed import World, joined, share_work
from byhand.optim import constant
from byhand.progress import Table

RATE = 0.01  # small enough for every model here: a loss that is no number would end the loop early


def learner(world: World, data: tuple[Tensor, Tensor], hidden: Sequence[int], batch: int, **options: Any) -> Any:
    """The learner on this process's part of each batch; every process draws the same weights and order."""
    g = torch.Generator().manual_seed(0)
    model = byhand.MLP(784, hidden, 10, generator=g) if hidden else byhand.LinearClassifier(784, 10)
    train = DataLoader(data, batch, shuffle=True, generator=g)
    learn = byhand.Learner(byhand.DataLoaders(train), model, quiet=True, **options)
    share_work(learn, world)
    return learn


def losses(world: World, data: tuple[Tensor, Tensor], hidden: Sequence[int], batch: int, steps: int) -> list[float]:
    """The loss of each step, in float64."""
    found: list[float] = []
    learn = learner(world, data, hidden, batch, cbs=lambda learn: found.append(learn.loss))
    learn.model.to(dtype=torch.float64)
    while len(found) < steps:
        learn._epoch(learn.optimizer(), 1, constant(0.1), Table([], quiet=True))
    return found[:steps]


def train(world: World, data: tuple[Tensor, Tensor], hidden: Sequence[int], batch: int, steps: int) -> float:
    """Seconds a step of the training loop as ``fit`` runs it: order, gathering and loss included."""

    def passes(rows: int) -> Callable[[], None]:
        learn.dls.train.x, learn.dls.train.y = data[0][:rows], data[1][:rows]
        return lambda: learn._epoch(learn.optimizer(), 1, constant(RATE), Table([], quiet=True))

    learn = learner(world, data, hidden, batch)
    return seconds_a_step(world, passes, len(data[0]), batch, steps)


def ddp(world: World, data: tuple[Tensor, Tensor], hidden: Sequence[int], batch: int, steps: int) -> float:
    """Seconds a step of PyTorch's DistributedDataParallel, autograd and SGD on the same rows."""
    sizes = [784, *hidden, 10]
    layers = [part for i, o in itertools.pairwise(sizes) for part in (nn.ReLU(), nn.Linear(i, o))][1:]
    model = nn.parallel.DistributedDataParallel(nn.Sequential(*layers))
    opt = torch.optim.SGD(model.parameters(), lr=RATE)

    def passes(rows: int) -> Callable[[], None]:
        loader = DataLoader((data[0][:rows], data[1][:rows]), batch, True, generator=torch.Generator().manual_seed(0))
        loader.share = world.rank, world.size

        def once() -> None:
            for x, y in loader:
                opt.zero_grad()
                loss = nn.functional.cross_entropy(model(x.float() / 255), y)
                loss.backward()
                opt.step()
                loss.item()

        return once

    return seconds_a_step(world, passes, len(data[0]), batch, steps)


def seconds_a_step(
    world: World, passes: Callable[[int], Callable[[], None]], available: int, batch: int, steps: int
) -> float:
    """One step to warm up, then at least ``steps`` in passes of whole batches; all processes begin together."""
    a_pass = min(steps, available // batch)
    passes(batch)()
    once, times = passes(a_pass * batch), -(-steps // a_pass)
    world.barrier()
    start = time.perf_counter()
    for _ in range(times):
        once()
    return (time.perf_counter() - start) / (times * a_pass)


@torch.inference_mode()  # as in the training loop of a model written by hand
def sums(world: World, _: object, size: int, times: int) -> dict[str, list[float]]:
    """Seconds of each sum of so many bytes over all: sent alone, and as a step makes it, with the copies around it."""
    p = torch.zeros(size // 4)  # float32
    grad, loss = torch.ones_like(p), torch.tensor(1.0)

    def step() -> None:
        p.grad = grad
        world.sum_gradients([p], loss, 128)

    seconds: dict[str, list[float]] = {}
    for name, run in {"alone": lambda: torch.distributed.all_reduce(p), "step": step}.items():
        world.barrier()
        stamps = [time.perf_counter()]
        for _ in range(times + 2):
            run()
            stamps.append(time.perf_counter())
        seconds[name] = [end - start for start, end in itertools.pairwise(stamps[2:])]  # two to warm up
    return seconds


def jobs() -> Iterator[tuple[Callable[..., Any], list[Any]]]:
    """What the lines of the input ask for."""
    known = {f.__name__: f for f in (losses, train, ddp, sums)}
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        yield known[name], arguments


def main() -> None:
    """Join the others, say so, and do one job after another until the input ends."""
    torch.set_num_threads(int(sys.argv[1]))
    part = byhand.load(measure.data_folder(), valid=0).train
    data = torch.as_tensor(part.images.reshape(len(part), -1)), torch.as_tensor(part.labels)  # (N, P) uint8, (N,)
    with joined("cpu") as world:
        print(json.dumps("ready"), flush=True)
        for job, arguments in jobs():
            print(json.dumps(job(world, data, *arguments)), flush=True)
        world.ends_together = True


if __name__ == "__main__":
    main()
