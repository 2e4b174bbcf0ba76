"""``python -m byhand.play.ceiling SOURCE [SIZE, GRAYSCALE]``: the linear ceiling of a data set, as one line of JSON.

A process of its own, of low priority, because it needs seconds of a core while somebody watches a training run. What it
finds is kept in byhand's folder, so the next page has it at once.
"""

import json
import os
import sys
from contextlib import suppress
from typing import Any

from byhand.data.load import load
from byhand.errors import ByhandError
from byhand.evaluate.landmarks import find_landmarks
from byhand.evaluate.results import Landmarks
from byhand.json_text import json_text

__all__ = ["ceiling_or_reason", "main"]

_NICE = 5


def main(source: str, reading: str) -> None:
    """Write ``{"ceiling": {"accuracy", "low", "high"} or null, "reason": text or null}`` to standard output."""
    with suppress(AttributeError, OSError):  # Windows has no nice
        os.nice(_NICE)
    size, grayscale = json.loads(reading)
    try:
        found = ceiling_or_reason(find_landmarks(load(source, size=size, grayscale=grayscale, sample=True)))
    except ByhandError as error:
        found = {"ceiling": None, "reason": str(error)}
    sys.stdout.write(json_text(found) + "\n")


def ceiling_or_reason(found: Landmarks) -> dict[str, Any]:
    """``ceiling`` (``accuracy``, ``low``, ``high``) and ``reason``, one of the two None."""
    if found.ceiling is None:
        return {"ceiling": None, "reason": found.no_ceiling}
    right = found.ceiling.accuracy
    return {"ceiling": {"accuracy": right.value, "low": right.low, "high": right.high}, "reason": None}


if __name__ == "__main__":
    main(*sys.argv[1:])
