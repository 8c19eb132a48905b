"""D_LSBD: how far codes are from a linear symmetry-based disentangled representation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unweave._check import check_codes, check_names, check_positive
from unweave.metrics import Noise
from unweave.metrics.noise import interval, p_value
from unweave.metrics.score import Chance, Score
from unweave.symmetry.grids import on_grid, shuffled

__all__ = ["linear_symmetry_distance"]


def linear_symmetry_distance(
    codes: object,
    sizes: Sequence[int],
    *,
    names: Sequence[str] | None = None,
    max_frequency: int = 3,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""D_LSBD, from 0 (each circular factor turns a plane of its own) to about 1 (none does).

    For each factor k, a group of rotations :math:`SO(2)`: codes less their mean over that factor
    are projected to the plane in which they vary most, scaled there to a mean square of 1, and
    turned back by :math:`\omega` times the factor's angle. If the factor turns this plane
    :math:`\omega` times, and nothing else moves in it, all codes of equal other factors fall on one
    point,

    .. math:: D_k = \min_\omega E_g \big\| R(-\omega g)\, P_k z(g) - \bar m_k \big\|^2,

    and the distance is the mean over factors. Averaging instead of adding keeps it at most 1.

    Chance is the codes in random order, which comes out just below 1. Small values are good: the
    p-value is the share of orders that are as small, ``adjusted`` is 0 at chance and 1 at 0.

    Parameters
    ----------
    codes
        Array (n, latents) of every combination of levels, the last factor the fastest.
    sizes
        Levels of each circular factor, evenly spread over the whole turn, without its end: the
        orientation of dSprites has 39 and not 40.
    names
        Names of the factors.
    max_frequency
        Frequencies from minus to plus this many turns are tried for each factor.
    noise, seed
        Permutations for chance, halves of the other factors' levels for the interval.

    Raises
    ------
    ValueError
        If the codes are not a full grid of the sizes, or a factor has fewer than three levels.

    References
    ----------
    Tonnaer et al. (2022), https://arxiv.org/abs/2011.06070, section 4.

    >>> turns = 2 * np.pi * np.arange(8) / 8
    >>> a, b = np.meshgrid(turns, turns, indexing="ij")
    >>> torus = np.stack([np.cos(a), np.sin(a), np.cos(b), np.sin(b)], axis=-1).reshape(-1, 4)
    >>> round(float(linear_symmetry_distance(torus, [8, 8], noise=None)), 9)
    0.0
    """
    array = check_codes(codes, min_latents=2)
    max_frequency = check_positive("max_frequency", max_frequency)
    grid = on_grid(array, sizes, smallest=3)
    labels = check_names("factor", range(len(sizes)) if names is None else names, len(sizes))
    spreads, frequencies = _spreads(grid, max_frequency)
    details: dict[str, Any] = {
        "per_factor": dict(zip(labels, spreads.tolist(), strict=True)),
        "matrix": np.empty((0, 0)),
        "settings": {"metric": "d_lsbd", "sizes": tuple(sizes), "max_frequency": max_frequency},
        "n_samples": len(array),
        "seed": seed,
        "dead_latents": (),
        "extras": {f"frequency of {n}": float(w) for n, w in zip(labels, frequencies, strict=True)},
    }
    value = float(spreads.mean())
    if noise is not None:
        details |= _noise(grid, value, max_frequency, noise, seed)
    return Score("d_lsbd", value, **details)


def _spreads(grid: np.ndarray, max_frequency: int) -> tuple[np.ndarray, np.ndarray]:
    """Spread and frequency (factors,) each, of codes (levels..., latents)."""
    found = [_spread(_by_level(grid, k), max_frequency) for k in range(grid.ndim - 1)]
    return np.array([f[0] for f in found]), np.array([f[1] for f in found])


def _by_level(grid: np.ndarray, factor: int) -> np.ndarray:
    """Codes (levels of the factor, combinations of the others, latents)."""
    moved = np.moveaxis(grid, factor, 0)
    return moved.reshape(len(moved), -1, grid.shape[-1])


def _spread(codes: np.ndarray, max_frequency: int) -> tuple[float, int]:
    """The least spread over frequencies, and the frequency, of codes (levels, others, latents)."""
    n_levels = len(codes)
    centred = codes - codes.mean(axis=0)
    flat = centred.reshape(-1, codes.shape[-1])
    _, variances, axes = np.linalg.svd(flat.T @ flat / (len(flat) - 1))
    deviations = np.sqrt(variances[:2])
    if not deviations[1] > 1e-9 * max(1.0, np.abs(codes).max()):
        # On a line no rotation is seen: nothing of the factor turns a plane.
        return 1.0, 0
    plane = (centred @ axes[:2].T) / (deviations * np.sqrt(2))
    as_complex = plane[..., 0] + 1j * plane[..., 1]
    turns = 2 * np.pi * np.arange(n_levels) / n_levels
    frequencies = np.arange(-max_frequency, max_frequency + 1)
    # Turned back by each frequency and averaged: what is left of the mean square is the spread.
    means = np.exp(-1j * np.outer(frequencies, turns)) @ as_complex.mean(axis=1) / n_levels
    spreads = (np.abs(as_complex) ** 2).mean() - np.abs(means) ** 2
    best = int(np.argmin(spreads))
    return float(max(spreads[best], 0.0)), int(frequencies[best])


def _noise(
    grid: np.ndarray, value: float, max_frequency: int, noise: Noise, seed: int
) -> dict[str, Any]:
    """Chance, interval and p-value."""

    def distance(codes: np.ndarray) -> float:
        return float(_spreads(codes, max_frequency)[0].mean())

    drawn = np.array([distance(shuffled(grid, [seed, 1, i])) for i in range(noise.n_permutations)])
    halves = np.array([_half(grid, max_frequency, [seed, 3, i]) for i in range(noise.n_halves)])
    level = Chance(float(drawn.mean()), float(drawn.std(ddof=1)), len(drawn))
    return {
        "chance": level,
        "adjusted": (level.mean - value) / level.mean,
        "interval": interval(value, halves, noise.confidence, top=1.0),
        "confidence": noise.confidence,
        "p_value": p_value(-value, -drawn),
        "perfect": 0.0,
    }


def _half(grid: np.ndarray, max_frequency: int, seed: list[int]) -> float:
    """The distance, each factor's spread from half of the combinations of the others."""
    rng = np.random.default_rng(seed)
    spreads = []
    for k in range(grid.ndim - 1):
        codes = _by_level(grid, k)
        chosen = rng.permutation(codes.shape[1])[: max(1, codes.shape[1] // 2)]
        spreads.append(_spread(codes[:, chosen], max_frequency)[0])
    return float(np.mean(spreads))
