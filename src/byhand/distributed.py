"""What changes under torchrun: several processes train one model, and each takes its own rows of every batch.

Let n_r rows of a batch be rank r's, and let L_r be their mean loss and G_r its gradient. Every rank has the same
weights, and

    G = Σ_r n_r G_r / Σ_r n_r

is the gradient of the mean over the whole batch, however uneven the parts are. So sums and counts are added up over the
ranks, never averages; each rank then makes the same step, and the weights stay equal to the bit. One flat buffer and
one ``all_reduce`` a step carry the gradients, n_r L_r, n_r, and whether somebody wants the training to end.

All ranks draw the same order of the data. Of a dropout mask each rank draws its own rows, at each step anew from the
seed, the step's number and the rank: a run that is taken up again needs no more than the step's number for them.

Outside torchrun there is one process, and nothing here does anything.
"""

import hashlib
import os
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast, final

from byhand.errors import DataError, UsageError
from byhand.rendezvous import own_part
from byhand.signals import Stop

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from byhand.flat import Flat
    from byhand.learner import Learner
    from byhand.metrics import Mean

__all__ = ["World", "draw_own_masks", "joined", "restarts", "share_work"]

T = TypeVar("T")

_PATIENCE: Final = timedelta(hours=1)  # for a rank that fetches or decodes the data for the others


@final
class World:
    """The processes that train together. Without arguments it is this process alone, and its methods do nothing.

    Attributes:
        rank: this process's number, from 0. Rank 0 alone prints and writes.
        size: the number of processes, W.
        local_rank: this process's number on its machine.
        restarted: whether torchrun has started these processes again, because one of them failed. Its own count differs
            between machines, so they ask each other.
        wish: whether somebody wants this process to end its training.
        ends_together: whether all ranks are known to end at the same point: they wait for each other there.
    """

    def __init__(
        self, rank: int = 0, size: int = 1, local_rank: int = 0, device: "torch.device | str | None" = None
    ) -> None:
        """Args: as the attributes; device, where the backend wants what it adds up."""
        self.rank, self.size, self.local_rank = rank, size, local_rank
        self.restarted = False
        self.wish = Stop()
        self.ends_together = False
        self._agreed = False
        self._device = device
        self._flat: Flat | None = None

    @property
    def stopping(self) -> bool:
        """Whether the training shall end: after each step the same on every rank, whichever of them was asked."""
        return self.wish.wanted if self.size == 1 else self._agreed

    def sum_gradients(self, params: Iterable["Tensor"], loss: "Tensor", n: int) -> "Tensor":
        """Make each ``p.grad``, that of a mean over this rank's ``n`` rows, that of the mean over the whole batch.

        G = Σ n_r G_r / Σ n_r. A rank without a row counts nothing, whatever its loss is. Sums are made in float64 for a
        model of float64, else in float32.

        Args:
            params: the same on every rank. A parameter that has a gradient on no rank keeps none.
            loss: the mean over the ``n`` rows, ().
            n: this rank's rows of the batch.

        Returns:
            the mean loss over the whole batch, ().

        Raises:
            DataError: another process has ended.
        """
        if self.size == 1:
            return loss
        import torch

        from byhand.flat import flat_for

        params = list(params)
        with torch.no_grad():
            flat = self._flat = flat_for(params, self._flat)
            for view, p in zip(flat.grads, params, strict=True):
                if p.grad is None or not n:
                    view.zero_()
                else:
                    torch.mul(p.grad, n, out=view)
            has = [float(p.grad is not None and n > 0) for p in params]
            flat.tail.copy_(torch.tensor([*has, n, float(self.wish.wanted), 0.0]))
            if n:
                flat.tail[-1] = loss.detach() * n
            self._all_reduce(flat.whole)
            *found, count, wanted, _ = _numbers(flat.tail)
            flat.head.div_(count)
            for view, p, ranks in zip(flat.grads, params, found, strict=True):
                p.grad = view.to(p.dtype) if ranks else None
            self._agreed = wanted > 0
            return flat.tail[-1] / count

    def sum(self, means: Sequence["Mean"]) -> None:
        """Make averages over this rank's rows those over the rows of all: totals and counts are added up.

        Raises:
            DataError: another process has ended.
        """
        if self.size == 1:
            return
        sums = self._sums([number for mean in means for number in (mean.total, mean.count)])
        for mean, total, count in zip(means, sums[::2], sums[1::2], strict=True):
            mean.total, mean.count = total, int(count)

    def any(self, mine: bool) -> bool:
        """Whether it is so on one of the ranks."""
        return mine if self.size == 1 else self._sums([float(mine)])[0] > 0

    def broadcast(self, number: float) -> float:
        """Rank 0's number, on every rank."""
        return number if self.size == 1 else self._sums([number if self.rank == 0 else 0.0])[0]

    @contextmanager
    def together(self) -> Generator[None]:
        """What is done within succeeds on every rank, or no rank goes on.

        Raises:
            DataError: it failed on another rank; the one where it did raises what it met.
        """
        if self.size == 1:
            yield
            return
        try:
            yield
        except BaseException:
            with suppress(DataError):  # the first fault is the one to tell
                self._sums([1.0])
            raise
        if self._sums([0.0])[0]:
            time.sleep(0.2)  # torchrun ends all when one has ended: the one that knows why speaks first
            raise DataError(f"rank {self.rank} stops, because another process failed; its own line says why")

    def first(self, work: Callable[[], T]) -> T:
        """What ``work`` returns. One process of each machine is through with it before the others begin.

        So a download or a cache is written once, and the others find it.

        Raises:
            DataError: it failed on another rank.
        """
        if self.size == 1:
            return work()
        done: list[T] = []
        for turn in (True, False):
            with self.together():
                if (self.local_rank == 0) is turn:
                    done.append(work())
        return done[0]

    def must_agree(self, what: str, text: str) -> None:
        """Make sure that all ranks have the same text.

        Raises:
            DataError: they have not; ``what`` says in which respect.
        """
        if self.size == 1:
            return
        mine = float(int(hashlib.sha256(text.encode()).hexdigest()[:12], 16))  # 48 bits, exact in float64
        all_ = self._sums([mine if rank == self.rank else 0.0 for rank in range(self.size)])
        if len(set(all_)) > 1:
            raise DataError(f"the processes differ in {what}; give every machine the same files and the same options")

    def barrier(self) -> None:
        """Until every rank is here.

        Raises:
            DataError: another process has ended.
        """
        if self.size > 1:
            self._sums([0.0])

    def _sums(self, numbers: list[float]) -> list[float]:
        import torch

        sums = torch.tensor(numbers, dtype=torch.float64, device=self._device)
        self._all_reduce(sums)
        return _numbers(sums)

    def _all_reduce(self, numbers: "Tensor") -> None:
        """Σ over the ranks, in place. Every rank gets the same bits."""
        import torch.distributed

        dist: Any = torch.distributed
        try:
            dist.all_reduce(numbers)
        except RuntimeError as error:
            raise DataError(
                f"rank {self.rank} has lost the others: a process ended or a connection broke "
                f"({str(error).splitlines()[0]}); start again, with --resume"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: Any) -> None:
        """Leave the group; where all end together, not before all are ready to."""
        if self.size == 1:
            return
        import torch.distributed as dist

        if self.ends_together:
            with suppress(DataError):  # it is over in any case
                self.barrier()
        dist.destroy_process_group()


def joined(device: str = "auto") -> World:
    """The processes that torchrun started, to be left by ``with``; outside torchrun this process alone.

    The backend is nccl where the device is a GPU, each process on that of its local rank; else gloo.

    Args:
        device: ``--device``.

    Raises:
        UsageError: more processes on a machine than it has GPUs.
        DataError: the others cannot be reached.
    """
    env = os.environ
    if not _under_torchrun() or int(env["WORLD_SIZE"]) == 1:
        return World()
    import torch
    import torch.distributed as dist

    rank, size, local_rank = int(env["RANK"]), int(env["WORLD_SIZE"]), int(env["LOCAL_RANK"])
    on_gpu = torch.cuda.is_available() and (device == "auto" or device.startswith("cuda"))
    if on_gpu:
        here, gpus = int(env.get("LOCAL_WORLD_SIZE", size)), torch.cuda.device_count()
        if here > gpus or ":" in device:
            raise UsageError(
                f"--device {device}: {here} processes and {gpus} GPUs; start one process a GPU, or take --device cpu"
            )
        torch.cuda.set_device(local_rank)
    try:
        shared, _, _ = next(cast("Any", dist).rendezvous("env://", rank, size, timeout=_PATIENCE))
        store, known = own_part(shared, rank, size, _PATIENCE)
        dist.init_process_group(
            "nccl" if on_gpu else "gloo", store=store, rank=rank, world_size=size, timeout=_PATIENCE
        )
    except (RuntimeError, ValueError) as error:
        raise DataError(
            f"rank {rank} cannot reach the others: {str(error).splitlines()[0]}; check torchrun's --rdzv-endpoint"
        ) from error
    world = World(rank, size, local_rank, torch.device("cuda", local_rank) if on_gpu else None)
    world.restarted = world.any(known or int(env.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0)
    return world


def share_work(learn: "Learner", world: World) -> None:
    """From here on the learner takes this process's part of each batch and of each evaluation; all parts are added up.

    Raises:
        ValueError: a loader that is not byhand's.
        UsageError: a layer so wide that its gradient is never made.
    """
    from byhand.data.loader import DataLoader
    from byhand.model import Sequential
    from byhand.wide import is_wide

    if world.size > 1 and isinstance(learn.model, Sequential) and is_wide(learn.model.parameters()):
        raise UsageError(
            "a layer of this model is too wide for its gradient to be sent to other processes: start one process, or "
            "make the images smaller"
        )

    for dl in (learn.dls.train, learn.dls.valid):
        if isinstance(dl, DataLoader):
            dl.share = world.rank, world.size
        elif dl is not None and world.size > 1:
            raise ValueError("only byhand's loaders can be shared by several processes")
    learn.world = world


def draw_own_masks(world: World, model: object, seed: int, step: int) -> None:
    """Let the next step's dropout masks depend on the seed, the step's number and the rank, and on nothing else."""
    if world.size == 1:
        return
    import numpy as np

    from byhand.layers import Dropout
    from byhand.model import Sequential

    for layer in model.layers if isinstance(model, Sequential) else ():
        if isinstance(layer, Dropout) and layer.generator is not None:
            mixed = np.random.SeedSequence([seed, step, world.rank]).generate_state(1, np.uint64)[0]
            layer.generator.manual_seed(int(mixed))


def _numbers(tensor: "Tensor") -> list[float]:
    return cast("list[float]", cast("Any", tensor).tolist())


def restarts() -> bool:
    """Whether torchrun would start this process again if one of its group failed (``--max-restarts``)."""
    return _under_torchrun() and int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", 0)) > 0


def _under_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ and "WORLD_SIZE" in os.environ
