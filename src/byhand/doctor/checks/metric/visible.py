"""From where on a wrong number is worth a reader's time."""

from typing import Final

__all__ = ["is_visible"]

_LEAST: Final = 0.001  # a tenth of a point


def is_visible(shown: float, actual: float) -> bool:
    """Whether two accuracies differ enough: less is no reason to change a program."""
    return abs(shown - actual) >= _LEAST
