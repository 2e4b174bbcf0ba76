"""Backward passes that are nearly right: what may have been forgotten, and how a branch shows what comes of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, final

from byhand.doctor.place import Place
from byhand.doctor.watch.activations import DROPPED, Site
from byhand.doctor.watch.finite_differences import replace_activations
from byhand.doctor.watch.hooks import Hooks
from byhand.doctor.watch.iteration import Seen
from byhand.doctor.watch.products import replace_products

__all__ = ["Way", "ways"]

_SITES: Final = 4


@final
@dataclass(frozen=True, slots=True)
class Way:
    """One such; ``prepare`` has the process that it is called in compute by it. The rest is as in ``Straight``."""

    what: str
    kind: str
    places: tuple[Place, ...]
    prepare: Callable[[], None]


def ways(hooks: Hooks, places: Sequence[Place], seen: Seen, number: int, names: Sequence[str]) -> Iterator[Way]:
    """Those that concern a parameter, by its number: one is enough of each, and the likelier ones come first.

    Parameters that were updated before its gradient was made; the derivative of activations: each alone, the last one
    and the first ones, and all but those that come last.
    """
    made = [one.time for one in seen.made[number] if one.fresh]
    before = [other for other, time in seen.times.items() if other != number and made and time < made[-1]]
    through = [other for other in before if any(site[1] == other for site in seen.products.of)]
    if through:
        yield Way(
            "updated",
            ", ".join(names[other] for other in through),
            tuple(seen.updates[other] for other in through),
            lambda: replace_products(hooks, seen.products, seen.taken, through),
        )
    sites = seen.activations.sites()
    each = [*sites[-1:], *sites[:-1][: _SITES - 1]]
    for site in each:
        for how in seen.activations.otherwise(site):
            yield _other(hooks, places, seen, (site,), how)
    if len(sites) > 2:
        yield _other(hooks, places, seen, tuple(sites[:-1][: _SITES - 1]), DROPPED)


def _other(hooks: Hooks, places: Sequence[Place], seen: Seen, sites: tuple[Site, ...], how: str) -> Way:
    return Way(
        how,
        seen.activations.kind(sites[0]),
        tuple(places[site[0]] for site in sites),
        lambda: replace_activations(hooks, seen.activations, sites, how),
    )
