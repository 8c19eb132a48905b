"""Random directions that a dictionary is compared with, and random halves."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from unweave.metrics.dictionary.dictionary import unit
from unweave.metrics.noise import Noise

__all__ = ["Draw", "half_means", "half_rows", "mixture", "rotation", "thinned"]


_WORK = 2e8  # multiplications of a draw, beyond which fewer are taken


class Draw(IntEnum):
    """What random numbers are for."""

    CHANCE = 1
    MIXTURE = 2
    HALF = 3


def rotation(n: int, rng: np.random.Generator) -> np.ndarray:
    """An orthogonal matrix (n, n), uniform among all of them (Stewart, 1980)."""
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return q * np.sign(np.diag(r))


def mixture(directions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Normal directions with the second moments of those given, scaled to length 1."""
    _, sizes, axes = np.linalg.svd(directions, full_matrices=False)
    return unit(rng.standard_normal((len(directions), len(sizes))) * sizes @ axes)


def half_rows(n: int, seed: int, i: int) -> np.ndarray:
    """Half of ``n`` rows, drawn without repeats."""
    return np.random.default_rng([seed, Draw.HALF, i]).permutation(n)[: n // 2]


def half_means(values: np.ndarray, seed: int, n_halves: int) -> np.ndarray:
    """Means (halves,) of random halves of the values."""
    return np.array([values[half_rows(len(values), seed, i)].mean() for i in range(n_halves)])


def thinned(noise: Noise, work: float) -> Noise:
    """Fewer draws where each of them takes many multiplications."""
    return noise.thinned(1 if work <= _WORK else 5 if work <= 25 * _WORK else 30)
