"""Pictures drawn again, a little otherwise: small random affine and elastic deformations.

A version of a picture is ``version(p) = picture(s(p))``: the grey value at pixel p = (y, x) is that of the picture at
the place ``s(p) = c + A (p − c) + t + e(p)``, c the centre, between pixels by bilinear interpolation, and 0
(background) outside. A turns, scales and shears, t shifts, and e is a smooth random field:

    e_x(y, x) = Σ_kl z_kl g_k(y) g_l(x),    g_k(x) = exp(−(x/σ − k)² / 2),

z independent uniform numbers on a grid of spacing σ that reaches a σ beyond the borders. That is uniform noise smoothed
by a Gaussian: noise at every pixel would give the covariance exp(−|p − q|² / 4σ²); with this spacing it is the same to
0.02 % of the variance, to 2 % in the corners, from a hundred random numbers an axis instead of one a pixel. Affine part
and field are one product of matrices, Y Z Xᵀ.

Sources: P. Simard, D. Steinkraus, J. Platt, "Best practices for convolutional neural networks applied to visual
document analysis", ICDAR 2003, for the field; G. Loosli, S. Canu, L. Bottou, "Training invariant support vector
machines using selective sampling", 2007, who made 8,100,000 images of MNIST's 60,000 so.

Every number of the field is a multiple of a power of two, and small enough that float64 holds all sums exactly, in any
order; all else is integers. So a version's pixels do not depend, to the bit, on how many threads multiply or on which
rows are asked for together.

Shapes: n rows, H height, W width, K places of a side that noise is drawn for.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

__all__ = ["STRENGTH", "Strength", "deform"]


@final
@dataclass(frozen=True, slots=True)
class Strength:
    """How far a version may go from its picture; Strength(0, 0, 0, 0, 0) leaves it as it is.

    Attributes:
        elastic: the root mean square of the field along an axis, as a fraction of that side.
        turn: the largest angle, in radians, below 1.
        scale: a side becomes up to this share longer or shorter, each on its own.
        shear: the largest shift of a row, as a fraction of its distance from the centre.
        shift: the largest shift along an axis, as a fraction of that side.
    """

    elastic: float
    turn: float
    scale: float
    shear: float
    shift: float


STRENGTH: Final = Strength(elastic=0.025, turn=math.radians(10), scale=0.1, shear=0.1, shift=1 / 28)
"""What ``deform`` uses. Simard's α = 34 with σ = 4 pixels moves a pixel by 34 √(1/3) / (2 √π σ) = 1.38 pixels along an
axis (root mean square), 0.05 of the side. Half of it did better on MNIST's validation part (benchmarks/deform.py)."""

SMOOTH: Final = 4 / 28
"""σ, as a fraction of the side: Simard's 4 pixels."""

_K: Final = math.ceil(1 / SMOOTH) + 3  # so that the first and the last place are σ or more outside
_NUMBERS: Final = 6  # of the affine part, two bytes each; those of the field have one
_STEPS: Final = -(-(2 * _NUMBERS + 2 * _K * _K) // 32)  # of Philox for a row: a step makes 32 bytes
_NOISE: Final = math.sqrt((256**2 - 1) / 3)  # standard deviation of the odd numbers from -255 to 255
_SPREAD: Final = math.sqrt(math.pi)  # Σ_k g_k(x)², at every x
_BLOCK: Final = 2**16  # pixels worked on at a time: some 4 MB


def deform(
    images: NDArray[np.uint8], first: int, version: int, seed: int, *, strength: Strength = STRENGTH
) -> NDArray[np.uint8]:
    """One version of each of some rows of a part.

    Row i's version follows from seed, version, i and its own pixels alone, to the bit. Memory beside the result: a few
    MB, or some 60 bytes a pixel of one picture where that is more. A side may have up to 8,192 pixels.

    Args:
        images: (n, H, W) rows ``first``, ``first + 1``, … of the part.
        first: the number of the first of them, from 0 up.
        version: which one; 0 is the pictures as they are, and then ``images`` itself comes back.
        seed: from 0 up.
        strength: how far the versions go.

    Returns:
        (n, H, W).
    """
    if version == 0:
        return images
    n, height, width = images.shape
    out = np.empty((n, height, width), np.uint8)
    key = np.random.SeedSequence(seed, spawn_key=(version,)).generate_state(2, np.uint64).astype(np.uint64)
    rows = max(1, _BLOCK // (height * width + _K * _K))
    for start in range(0, n, rows):
        block = images[start : start + rows]
        drawn = _draw(key, first + start, len(block))
        places = _places(drawn, height, width, strength)
        out[start : start + rows] = _interpolate(block, *places).transpose(1, 0, 2)
    return out


def _draw(key: NDArray[np.uint64], first: int, n: int) -> NDArray[np.uint8]:
    """Random bytes (n, 32 _STEPS). The generator counts, so a row's stand at a place that its number gives."""
    generator = np.random.Philox(key=key, counter=first * _STEPS)
    return generator.random_raw(n * 4 * _STEPS).astype("<u8", copy=False).view(np.uint8).reshape(n, -1)


def _places(
    drawn: NDArray[np.uint8], height: int, width: int, strength: Strength
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Where the grey value of each pixel comes from: y and x (H, n, W), in 1/256 pixel, counted from pixel (-1, -1).

    They end where all is background: at -1 and at H, W.
    """
    n = len(drawn)
    numbers = np.ascontiguousarray(drawn[:, : 2 * _NUMBERS]).view("<u2").T  # (6, n)
    turn, longer_y, longer_x, shear, down, right = (2 * numbers.astype(np.float64) - 65535) / 65536  # in (-1, 1)
    # From tan θ/2 come sine and cosine by divisions alone, which are rounded alike wherever in an array they stand.
    t = math.tan(strength.turn / 2) * turn
    cos, sin = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    yy, xx, xy = 1 + strength.scale * longer_y, 1 + strength.scale * longer_x, strength.shear * shear
    noise = drawn[:, 2 * _NUMBERS :][:, : 2 * _K * _K].reshape(n, 2, _K, _K)
    basis = _basis(height), _basis(width)  # (H, K + 2), (W, K + 2)
    affine_y = strength.shift * height * down, cos * yy + sin * xy, sin * xx  # a constant, times y, times x
    affine_x = strength.shift * width * right, cos * xy - sin * yy, cos * xx
    return (
        _place(noise[:, 0], strength.elastic * height, affine_y, basis, height),
        _place(noise[:, 1], strength.elastic * width, affine_x, basis, width),
    )


def _place(
    noise: NDArray[np.uint8],
    size: float,
    affine: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    basis: tuple[NDArray[np.float64], NDArray[np.float64]],
    side: int,
) -> NDArray[np.int32]:
    """One axis of ``_places``: Y Z Xᵀ, where Z (K + 2, K + 2) holds the noise and, in its corner, the affine part."""
    n, (rows, columns) = len(noise), basis
    z = np.zeros((_K + 2, n, _K + 2))
    z[:_K, :, :_K] = (2.0 * noise.transpose(1, 0, 2) - 255) * (size / (_NOISE * _SPREAD))  # (K, n, K)
    z[_K, :, _K], z[_K + 1, :, _K], z[_K, :, _K + 1] = affine
    z[_K, :, _K] += (side - 1) / 2 + 1
    np.rint(np.ldexp(z, 14), out=z)
    z *= 2.0**-6  # in 1/256 pixel
    z[_K, :, _K] += 0.5  # to round where the integer conversion below cuts off
    partial = z.reshape(-1, _K + 2) @ columns.T  # ((K + 2) n, W)
    place = rows @ partial.reshape(_K + 2, -1)  # (H, n W)
    np.clip(place, 0, 256 * (side + 1), out=place)
    return place.astype(np.int32).reshape(len(rows), n, len(columns))


@cache
def _basis(side: int) -> NDArray[np.float64]:
    """(side, K + 2): at each pixel the K bells g_k, 1, and the distance from the centre; multiples of 1/4096."""
    x = np.arange(side) - (side - 1) / 2  # (side,)
    bells = np.exp(-((x[:, None] / (SMOOTH * side) - np.arange(_K) + (_K - 1) / 2) ** 2) / 2)  # (side, K)
    columns = [np.rint(4096 * bells) / 4096, np.ones(side), x]
    return np.column_stack(columns).astype(np.float64)


def _interpolate(images: NDArray[np.uint8], y: NDArray[np.int32], x: NDArray[np.int32]) -> NDArray[np.uint8]:
    """The grey values (H, n, W) of the pictures (n, H, W) at places y, x (H, n, W), rounded, a half up."""
    n, height, width = images.shape
    padded = np.zeros((n, height + 3, width + 2), np.uint32)
    padded[:, 1:-2, 1:-1] = images
    # Each pixel with the one below in the upper half: one product blends both with their right neighbours.
    pairs = np.zeros(n * (height + 2) * (width + 2) + 1, np.uint32)
    np.bitwise_or(padded[:, :-1], padded[:, 1:] << 16, out=pairs[:-1].reshape(n, height + 2, width + 2))
    at = (y >> 8) * np.int32(width + 2) + (x >> 8)
    at += np.arange(0, len(pairs) - 1, (height + 2) * (width + 2), dtype=np.int32)[:, None]
    index = at.astype(np.intp)
    right, below = (x & 255).view(np.uint32), (y & 255).view(np.uint32)  # how far to the next pixel, in 1/256
    both = pairs.take(index) * (256 - right) + pairs[1:].take(index) * right  # below 2^16 in each half
    grey = (both & 0xFFFF) * (256 - below) + (both >> 16) * below  # in 1/65536
    return ((grey + 2**15) >> 16).astype(np.uint8)
