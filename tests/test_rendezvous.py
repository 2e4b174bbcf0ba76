"""A new group never takes what an earlier one left in the store for its own."""

import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from torch.distributed import HashStore

from byhand.rendezvous import own_part

PATIENCE = timedelta(seconds=20)


def meet(store: Any, ranks: Sequence[int], size: int) -> dict[int, Any]:
    """The parts that processes of these ranks come to, started in this order; all know whether others were before."""
    parts: dict[int, Any] = {}
    restarted: dict[int, bool] = {}
    known = store.check(["byhand/groups"])

    def come(rank: int) -> None:
        parts[rank], restarted[rank] = own_part(store, rank, size, PATIENCE)

    threads = [threading.Thread(target=come, args=(rank,), daemon=True) for rank in ranks]
    for thread in threads:
        thread.start()
        time.sleep(0.03)
    for thread in threads:
        thread.join(20)
    assert restarted == dict.fromkeys(ranks, known)
    return parts


def store() -> HashStore:
    made = HashStore()
    made.set_timeout(PATIENCE)
    return made


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_all_of_a_group_come_to_the_same_part_and_each_group_to_its_own(order: tuple[int, ...]) -> None:
    shared = store()
    for group in range(3):
        parts = meet(shared, order, 3)
        assert sorted(parts) == [0, 1, 2]
        assert not any(part.check(["address"]) for part in parts.values())
        parts[group].set("address", str(group))
        assert {part.get("address") for part in parts.values()} == {str(group).encode()}


def test_those_who_died_on_their_way_are_not_waited_for_and_not_taken_for_the_living() -> None:
    shared = store()
    shared.set("byhand/hello/1", "a number of the dead")  # it said hello, and was killed
    first = threading.Thread(target=lambda: meet(shared, [0, 1], 2), daemon=True)
    first.start()
    first.join(20)
    assert not first.is_alive()
    assert shared.check(["byhand/welcome/a number of the dead"])
    parts = meet(shared, [0, 1], 2)
    parts[0].set("address", "new")
    assert parts[1].get("address") == b"new"


def test_patience_ends() -> None:
    with pytest.raises(RuntimeError, match="2 of 3 processes did not come within"):
        own_part(store(), 0, 3, timedelta(seconds=0.05))
