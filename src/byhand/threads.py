"""How many threads a product is worth."""

from collections.abc import Generator
from contextlib import contextmanager

import torch

__all__ = ["few_threads"]

_SMALL = 10_000_000  # multiplications of a product that one thread makes as fast as two


@contextmanager
def few_threads(multiplications: float) -> Generator[None]:
    """One thread where the products within are small: two would spend their time waiting for each other.

    Args:
        multiplications: of the largest product.
    """
    before = torch.get_num_threads()
    if multiplications < _SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
