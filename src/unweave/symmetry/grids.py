"""Codes of every element of a product of groups."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["on_grid", "shuffled"]


def on_grid(codes: np.ndarray, sizes: Sequence[int], *, smallest: int = 2) -> np.ndarray:
    """Codes (levels of each factor..., latents) of rows in C order.

    Raises
    ------
    ValueError
        If the rows are not as many as there are combinations, or a factor has too few levels.
    """
    sizes = tuple(int(size) for size in sizes)
    if not sizes or min(sizes) < smallest:
        raise ValueError(f"each factor needs at least {smallest} levels, and sizes are {sizes}")
    if len(codes) != math.prod(sizes):
        raise ValueError(
            f"{len(codes)} rows are not a full grid: {' x '.join(map(str, sizes))} levels have "
            f"{math.prod(sizes):,} combinations; give the codes of each, the last factor fastest"
        )
    return codes.reshape(*sizes, codes.shape[1])


def shuffled(grid: np.ndarray, seed: Sequence[int]) -> np.ndarray:
    """The same codes in random order over the grid."""
    flat = grid.reshape(-1, grid.shape[-1])
    return np.random.default_rng(seed).permutation(flat).reshape(grid.shape)
