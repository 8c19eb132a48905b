"""The images that a page holds, and how many fit."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

__all__ = ["LEAST_ROOM", "THUMBNAIL", "fitting", "spread_levels", "thumbnails"]

THUMBNAIL = 64
"""Pixels of the longer side of images that are looked at only."""
LEAST_ROOM = 1_600_000
"""Bytes, compressed, that images of each kind may always take; a page has two kinds."""
_RAW = 48_000_000  # bytes, in the memory of a phone
_PROBED = 64


def fitting(images: np.ndarray, most: int, room: float = LEAST_ROOM) -> int:
    """How many images like these (n, height, width, channels) a page holds, at most ``most``.

    ``room`` is in bytes, compressed.
    """
    probe = np.ascontiguousarray(images[:_PROBED])
    each = max(1.0, len(zlib.compress(probe.tobytes(), 6)) / len(probe))
    return max(1, min(most, int(room / each), _RAW // probe[0].nbytes))


def thumbnails(images: np.ndarray) -> np.ndarray:
    """The images (n, height, width, channels) with sides of at most 64 pixels."""
    height, width, channels = images.shape[1:]
    factor = THUMBNAIL / max(height, width)
    if factor >= 1:
        return images
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    resized = [
        np.asarray(
            Image.fromarray(one[..., 0] if channels == 1 else one).resize(
                size, Image.Resampling.BOX
            )
        )
        for one in images
    ]
    return np.stack(resized).reshape(len(images), size[1], size[0], channels)


def spread_levels(sizes: Sequence[int], most: int) -> list[list[int]]:
    """Levels of each factor, spread evenly, whose combinations are at most ``most``.

    >>> spread_levels([3, 40], 12)
    [[0, 2], [0, 8, 16, 23, 31, 39]]
    """
    counts = [1] * len(sizes)
    while True:
        for k in sorted(range(len(sizes)), key=lambda k: counts[k] / sizes[k] ** 0.5):
            more = math.prod(counts) // counts[k] * (counts[k] + 1)
            if counts[k] < sizes[k] and more <= most:
                counts[k] += 1
                break
        else:
            break
    return [
        sorted({round(level) for level in np.linspace(0, size - 1, count).tolist()})
        for size, count in zip(sizes, counts, strict=True)
    ]
