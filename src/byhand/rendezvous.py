"""How the processes of a group find each other in torchrun's store, where an earlier group has left its addresses.

When a process fails, torchrun starts the whole group again, with the same store. There each process looks for the
others' addresses under their ranks, and finds those of the dead if it is faster than the living: it fails, or waits for
ever. So the new group first agrees on a name for its own part of the store:

    rank r > 0    writes a new number under hello/r, and waits for the answer to this number;
    rank 0        answers every number that it sees with a new name, until each rank has said that it read the name.

What an earlier group wrote has other numbers and another name.
"""

import time
import uuid
from datetime import timedelta
from typing import Any

__all__ = ["own_part"]

_LOOK = 0.01  # seconds between two looks


def own_part(store: Any, rank: int, size: int, patience: timedelta) -> tuple[Any, bool]:
    """A part of a ``torch.distributed`` store that no earlier group has written to, and whether there was such a group.

    All of the group must call this.

    Args:
        store: the same for all processes.
        rank: this process's number.
        size: the number of processes.
        patience: how long rank 0 waits for the others; they wait as long as the store's own timeout says.

    Raises:
        RuntimeError: the others did not come.
    """
    import torch.distributed

    dist: Any = torch.distributed
    name = _welcome(store, size, patience) if rank == 0 else _hello(store, rank)
    return dist.PrefixStore(f"byhand/{name}", store), not name.startswith("1 ")


def _hello(store: Any, rank: int) -> str:
    number = uuid.uuid4().hex
    store.set(f"byhand/hello/{rank}", number)
    name = store.get(f"byhand/welcome/{number}").decode()
    store.set(f"byhand/{name}/here/{rank}", "")
    return name


def _welcome(store: Any, size: int, patience: timedelta) -> str:
    away, until = set(range(1, size)), time.monotonic() + patience.total_seconds()
    name = f"{store.add('byhand/groups', 1)} {uuid.uuid4().hex}"
    while away:
        for rank in sorted(away):
            if store.check([f"byhand/hello/{rank}"]):
                number = store.get(f"byhand/hello/{rank}").decode()
                store.set(f"byhand/welcome/{number}", name)
            if store.check([f"byhand/{name}/here/{rank}"]):
                away.discard(rank)
        if time.monotonic() > until:
            raise RuntimeError(f"{len(away)} of {size} processes did not come within {patience}")
        time.sleep(_LOOK if away else 0)
    return name
