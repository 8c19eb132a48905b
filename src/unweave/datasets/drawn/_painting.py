"""What dSprites' variants do to the pixels of a sprite and of its background.

Each function takes sprites as bits (n, 512), eight pixels a byte, and gives colour images
(n, 64, 64, 3) uint8. Where a definition is in floats of [0, 1], a level is 255 times it, rounded.
"""

from __future__ import annotations

import numpy as np

from unweave._compiled import njit
from unweave._random import Stream, generator
from unweave.datasets.drawn import _sprites

__all__ = ["invert_on_picture", "levels_of", "paint", "put_on_noise", "row_uniforms"]

_PIXELS = _sprites.SIDE**2


def levels_of(colours: np.ndarray) -> np.ndarray:
    """Colours in [0, 1] as levels from 0 to 255, rounded."""
    return np.rint(255 * np.asarray(colours)).astype(np.uint8)


def paint(packed: np.ndarray, sprite: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Sprites and backgrounds of one colour each, (n, 3) uint8."""
    return _shaped(_paint, packed, sprite, background)


def put_on_noise(packed: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """White sprites on noise: min(1, image + u), for u (n, 64 * 64 * 3) of [0, 1]."""
    return _shaped(_put_on_noise, packed, uniforms)


def invert_on_picture(
    packed: np.ndarray, picture: np.ndarray, corners: np.ndarray, tints: np.ndarray
) -> np.ndarray:
    """Patches of a picture, (patch + tint) / 2, whose colours are inverted at the sprite.

    ``picture`` (height, width, 3) is of [0, 1], ``corners`` (n, 2) are the upper left pixels of
    the patches as row and column, ``tints`` (n, 3) are of [0, 1].
    """
    return _shaped(_invert_on_picture, packed, picture, corners, tints)


def row_uniforms(
    seed: int, rows: np.ndarray, n_numbers: int, dtype: type = np.float64
) -> np.ndarray:
    """Numbers (rows, n_numbers) uniform in [0, 1) that belong to each row.

    Those of all rows, one row after the other, are one stream of the seed. A float32 takes half of
    a step of the stream, so that there must be an even number of them.
    """
    rng = generator(seed, Stream.IMAGES)
    bits = rng.bit_generator
    start = bits.state
    steps = n_numbers * np.dtype(dtype).itemsize // 8
    found: np.ndarray = np.empty((len(rows), n_numbers), dtype=dtype)
    for numbers, row in zip(found, rows.tolist(), strict=True):
        bits.state = start
        bits.advance(steps * row)  # type: ignore[attr-defined]
        rng.random(out=numbers, dtype=dtype)
    return found


def _shaped(kernel, packed: np.ndarray, *arguments: np.ndarray) -> np.ndarray:
    drawn = np.empty((len(packed), _PIXELS, 3), dtype=np.uint8)
    kernel(packed, *arguments, drawn)
    return drawn.reshape(-1, _sprites.SIDE, _sprites.SIDE, 3)


@njit(nogil=True)
def _paint(packed, sprite, background, drawn):  # pragma: no cover - compiled
    for image in range(len(packed)):
        for pixel in range(_PIXELS):
            inside = (packed[image, pixel >> 3] >> (7 - (pixel & 7))) & 1
            for channel in range(3):
                colour = sprite if inside else background
                drawn[image, pixel, channel] = colour[image, channel]


@njit(nogil=True)
def _put_on_noise(packed, uniforms, drawn):  # pragma: no cover - compiled
    for image in range(len(packed)):
        for pixel in range(_PIXELS):
            inside = (packed[image, pixel >> 3] >> (7 - (pixel & 7))) & 1
            for channel in range(3):
                level = np.rint(255 * uniforms[image, 3 * pixel + channel])
                drawn[image, pixel, channel] = 255 if inside else level


@njit(nogil=True)
def _invert_on_picture(packed, picture, corners, tints, drawn):  # pragma: no cover - compiled
    side = _sprites.SIDE
    for image in range(len(packed)):
        top, left = corners[image]
        for pixel in range(_PIXELS):
            inside = (packed[image, pixel >> 3] >> (7 - (pixel & 7))) & 1
            row, column = top + pixel // side, left + pixel % side
            for channel in range(3):
                value = (picture[row, column, channel] + tints[image, channel]) / 2
                if inside:
                    value = 1 - value
                drawn[image, pixel, channel] = np.rint(255 * value)
