"""All readers, and what each is given."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from tests.fuzz import mutate, read_data, read_doctor, read_left, read_parquet, read_play, read_runs, read_shards
from tests.fuzz.judge import Reader

__all__ = ["CORPUS", "READERS", "drawn", "every", "found", "whole"]

_ROOMS = (read_data, read_parquet, read_shards, read_runs, read_doctor, read_left, read_play)
READERS = {reader.name: reader for room in _ROOMS for reader in room.READERS}
CORPUS = Path(__file__).with_name("corpus")
_SOME, _FEW = 400, 60  # places of a body of which each bit is turned
_SHORT = 33  # bytes of a head that is short enough to be tried whole each time


def every(reader: Reader, *, thorough: bool = True) -> Iterator[bytes]:
    """In order: what is sound, cut off at each place, with a tail, each other value of the head, each bit of the body.

    Of a longer body 400 places spread over it, or 60 where it shall not be thorough; then also one in 16 values of a
    head of more than 33 bytes, and of all sound contents but the first every fourth cut.
    """
    step, some = (1, _SOME) if thorough else (1 if reader.head <= _SHORT else 16, _FEW)
    yield from reader.sounds
    for number, sound in enumerate(reader.sounds):
        yield from islice(mutate.cuts(sound), 0, None, 4 if number and not thorough else 1)
        yield from mutate.longer(sound)
    yield from mutate.other_bytes(reader.sounds[0], range(min(reader.head, len(reader.sounds[0]))), step)
    for sound in reader.sounds:
        yield from mutate.bits(sound, range(0, len(sound), max(1, len(sound) // some)))


def drawn(reader: Reader, seeds: Iterable[int]) -> Iterator[bytes]:
    """What each seed breaks."""
    return (mutate.drawn(seed, reader.sounds, reader.words) for seed in seeds)


def found(reader: Reader) -> list[bytes]:
    """What was once found to break this reader."""
    return [file.read_bytes() for file in sorted((CORPUS / reader.name).glob("*"))]


def whole(reader: Reader, seeds: Iterable[int], *, thorough: bool = True) -> Iterator[bytes]:
    """All of it, the worst first."""
    return chain(found(reader), reader.bombs(), every(reader, thorough=thorough), drawn(reader, seeds))
