"""Rank correlation tested by permutation, and the level at which tests reject."""

from __future__ import annotations

import numpy as np
from scipy import stats

__all__ = ["LEVEL", "spearman_test"]

LEVEL = 0.05
"""A p-value below it is significant."""


def spearman_test(
    x: np.ndarray, scores: np.ndarray, rng: np.random.Generator, *, n_draws: int = 2_000
) -> tuple[float, float]:
    """Mean over groups of Spearman's correlation with ``x``, and its p-value by permutation.

    The p-value is two-sided, in (0, 1]: the share of draws, the observed order among them, that
    correlate at least as strongly. A draw permutes the scores of each group among themselves. A
    group of equal scores has a correlation of 0.

    Parameters
    ----------
    x
        Values (n,), the same for all groups.
    scores
        Scores (groups, n), as of seeds at several scales.
    rng
        Random generator of the permutations.
    n_draws
        How many.
    """
    ranks, levels = stats.rankdata(scores, axis=1), stats.rankdata(x)
    observed = _mean_correlation(ranks, levels)
    if np.ptp(levels) == 0 or not np.ptp(ranks, axis=1).any():
        return 0.0, 1.0
    shuffled = rng.permuted(np.broadcast_to(ranks, (n_draws, *ranks.shape)), axis=2)
    n_as_strong = (np.abs(_mean_correlation(shuffled, levels)) >= abs(observed) - 1e-9).sum()
    return float(observed), float((1 + n_as_strong) / (1 + n_draws))


def _mean_correlation(ranks: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Mean over groups (second last axis) of the correlation of ranks (last axis) with levels."""
    centred = ranks - ranks.mean(axis=-1, keepdims=True)
    x = levels - levels.mean()
    norms = np.sqrt((centred**2).sum(axis=-1) * (x**2).sum())
    return np.mean(centred @ x / np.where(norms > 0, norms, 1.0), axis=-1)
