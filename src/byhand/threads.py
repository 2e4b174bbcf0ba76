"""How many threads a product is worth, when it must be one, and with how many bits it may be made."""

from collections.abc import Generator
from contextlib import contextmanager

import torch

__all__ = ["few_threads", "multiplies_bfloat16", "same_bits"]

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


@contextmanager
def same_bits(wanted: bool) -> Generator[None]:
    """If ``wanted``, what is computed within has the same bits whatever number of threads there is.

    A sum of floats depends on its order, and so on how many threads share it: within there is one, and only algorithms
    that do the same every time. Afterwards all is as it was.
    """
    if not wanted:
        yield
        return
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether products of bfloat16 are faster there than those of float32.

    On a processor with AVX-512's instructions for them, or with AMX; on a GPU that has them at all.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, name, bool)() for name in names)
