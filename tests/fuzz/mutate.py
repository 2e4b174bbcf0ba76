"""Sound bytes, broken: in every way of a kind, or in ways drawn from a seed, for ever the same."""

import random
import re
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["bits", "cuts", "drawn", "flips", "longer", "noise", "other_bytes"]

FIRST = 4096  # bytes of a file that are cut at every place
_EDGES = (0, 1, 2, 7, 8, 127, 128, 255, 256, 999, 1000, 2**15, 2**16 - 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
_WIDE = (*_EDGES, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
_WRITTEN = (b"-1", b"0", b"1e999", b"NaN", b"-Infinity", b"null", b"true", b"[]", b"{}", b'""', b"1" * 400, b"0.5")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")


def cuts(sound: bytes, most: int = FIRST) -> Iterator[bytes]:
    """Cut off at each of the first places."""
    return (sound[:length] for length in range(min(len(sound), most)))


def flips(sound: bytes, masks: tuple[int, ...] = (0x01, 0x80, 0xFF)) -> Iterator[bytes]:
    """Each byte under each mask."""
    for at in range(len(sound)):
        for mask in masks:
            yield sound[:at] + bytes([sound[at] ^ mask]) + sound[at + 1 :]


def bits(sound: bytes, places: Iterable[int]) -> Iterator[bytes]:
    """Each of the eight bits of each place."""
    for at in places:
        for bit in range(8):
            yield sound[:at] + bytes([sound[at] ^ 1 << bit]) + sound[at + 1 :]


def other_bytes(sound: bytes, places: Iterable[int], step: int = 1) -> Iterator[bytes]:
    """Each other value of each place; with a ``step``, of every so many values one."""
    for at in places:
        for value in range(at % step, 256, step):
            if value != sound[at]:
                yield sound[:at] + bytes([value]) + sound[at + 1 :]


def longer(sound: bytes) -> Iterator[bytes]:
    """With something behind it."""
    return (sound + tail for tail in (b"\0", b"\n\n", b"PK", sound[:1], sound, bytes(5000)))


def noise(count: int, head: bytes = b"") -> Iterator[bytes]:
    """Bytes drawn at random behind a head."""
    rng = random.Random(7)  # noqa: S311
    return (head + rng.randbytes(rng.randrange(300)) for _ in range(count))


def drawn(seed: int, sounds: Sequence[bytes], words: Sequence[bytes] = ()) -> bytes:
    """One of the sound contents after one to four changes: a bit, a byte, a number, a word, a span, a graft, a cut."""
    rng = random.Random(seed)  # noqa: S311
    content = rng.choice(sounds)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        content = _changed(rng, content, sounds, words)
    return content


def _changed(rng: random.Random, content: bytes, sounds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    if not content:
        return rng.choice(sounds)
    # What a format says of itself stands at its beginning, or, in a zip, at its end: half of the changes go there.
    reach = rng.choice((len(content), len(content), 64, -64))
    at = rng.randrange(min(reach, len(content))) if reach > 0 else len(content) - 1 - rng.randrange(len(content)) % 64
    end = min(len(content), at + rng.choice((1, 1, 2, 4, 8, 16, 64, 256)))
    kind = rng.randrange(11)
    if kind == 0:
        put = bytes([content[at] ^ 1 << rng.randrange(8)])
        end = at + 1
    elif kind == 1:
        put = bytes([rng.randrange(256)])
        end = at + 1
    elif kind == 2:  # a number where one of that width could stand
        width = rng.choice((1, 2, 4, 8))
        put = (rng.choice(_WIDE) % 256**width).to_bytes(width, rng.choice(("little", "big")))
        end = at + width
    elif kind == 3:  # a number in digits, by another
        found = list(_NUMBER.finditer(content, max(0, at - 200), at + 200))
        put = b""
        if found:
            one = rng.choice(found)
            at, end, put = one.start(), one.end(), rng.choice((*_WRITTEN, str(rng.choice(_WIDE)).encode()))
    elif kind == 4 and words:
        put = rng.choice(words)
        end = at + (len(put) if rng.random() < 0.5 else 0)
    elif kind == 5:
        put, end = rng.randbytes(end - at), at
    elif kind == 6:
        put = b""
    elif kind == 7:  # a span twice, or many times
        put = content[at:end] * rng.choice((2, 2, 3, 50))
    elif kind == 8:
        return content[:at]
    elif kind == 9:
        other = rng.choice(sounds)
        return content[:at] + other[rng.randrange(len(other)) :]
    else:  # a span from elsewhere in its place
        start = rng.randrange(len(content))
        put = content[start : start + end - at]
    return content[:at] + put + content[end:]
