"""Ranks tested by permutation, the level at which tests reject, and correction for many tests."""

from __future__ import annotations

import numpy as np
from scipy import stats

__all__ = ["LEVEL", "POWER", "holm", "monotone_test", "smallest_slope", "spearman_test"]

LEVEL = 0.05
"""A p-value below it is significant."""

POWER = 0.8
"""Share of studies in which an effect of the smallest slope is significant."""

_HALVINGS = 20


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values (tests,) corrected for their number, each in [0, 1].

    If tests are rejected whose corrected p-value is below a level, the probability of any false
    rejection is below it (Holm 1979, https://www.jstor.org/stable/4615733).

    >>> holm(np.array([0.03, 0.01, 0.5])).tolist()
    [0.06, 0.03, 0.5]
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(np.minimum(p_values[order] * factors, 1.0))
    return corrected


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


def monotone_test(scores: np.ndarray, rng: np.random.Generator, *, n_draws: int = 2_000) -> float:
    """P-value, by permutation, of levels that have no order, against rising or falling.

    It is in (0, 1]: the share of draws, the observed order among them, that a monotone curve fits
    at least as well. A draw permutes the scores of each group among themselves. The curve is the
    isotonic regression of the mean ranks of the levels, rising or falling, whichever explains more;
    so that, other than with a rank correlation, a rise that soon levels off counts like a steady
    one. The test without ranks is that of Barlow et al. (1972), Statistical Inference Under Order
    Restrictions, chapter 3.

    Parameters
    ----------
    scores
        Scores (groups, levels), as of seeds, the levels in ascending order.
    rng
        Random generator of the permutations.
    n_draws
        How many.
    """
    ranks = stats.rankdata(scores, axis=1)
    observed = _monotone_share(ranks)
    shuffled = rng.permuted(np.broadcast_to(ranks, (n_draws, *ranks.shape)), axis=2)
    n_as_good = (_monotone_share(shuffled) >= observed - 1e-9).sum()
    return float((1 + n_as_good) / (1 + n_draws))


def smallest_slope(
    x: np.ndarray, scores: np.ndarray, rng: np.random.Generator, *, n_draws: int = 500
) -> float:
    """The smallest slope that :func:`monotone_test` would find in most studies of this size.

    A study is simulated by what the scores of each group vary by round its mean, permuted, with
    groups drawn with replacement, and a slope over the logarithm of x. The result is the slope at
    which a share :data:`POWER` of the studies has a p-value below :data:`LEVEL`.

    Parameters
    ----------
    x
        Values (n,) above 0 in ascending order, the same for all groups.
    scores
        Scores (groups, n).
    rng
        Random generator of the studies.
    n_draws
        How many.

    Returns
    -------
    float
        Score for each doubling of x; infinite if not even a perfect order would be significant.
    """
    doublings = np.log2(x)
    perfect = np.broadcast_to(np.arange(1.0, len(x) + 1), scores.shape)
    chance = _monotone_share(
        rng.permuted(np.broadcast_to(perfect, (n_draws, *scores.shape)), axis=2)
    )
    critical = np.quantile(chance, 1 - LEVEL)
    if (chance >= _monotone_share(perfect) - 1e-9).mean() >= LEVEL:
        return np.inf
    n = len(x)  # a mean of n is nearer to its scores than to those of other draws
    noise = (scores - scores.mean(axis=1, keepdims=True)) * np.sqrt(n / (n - 1))
    if not noise.any():
        return 0.0
    drawn = rng.permuted(noise[rng.integers(0, len(noise), (n_draws, len(noise)))], axis=2)

    def share(slope: float) -> float:
        ranks = stats.rankdata(drawn + slope * doublings, axis=2)
        return float((_monotone_share(ranks) > critical).mean())

    low, high = 0.0, float(np.ptp(noise) / np.diff(doublings).min())
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if share(middle) >= POWER else (middle, high)
    return high


def _mean_correlation(ranks: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Mean over groups (second last axis) of the correlation of ranks (last axis) with levels."""
    centred = ranks - ranks.mean(axis=-1, keepdims=True)
    x = levels - levels.mean()
    norms = np.sqrt((centred**2).sum(axis=-1) * (x**2).sum())
    return np.mean(centred @ x / np.where(norms > 0, norms, 1.0), axis=-1)


def _monotone_share(ranks: np.ndarray) -> np.ndarray:
    """Sum of squares (...) of the best monotone curve through mean ranks of (..., groups, levels).

    It is that of the curve round its mean, per level.
    """
    means = ranks.mean(axis=-2)
    means = means - means.mean(axis=-1, keepdims=True)
    both = np.stack([means, means[..., ::-1]])
    return (_isotonic(both) ** 2).mean(axis=-1).max(axis=0)


def _isotonic(values: np.ndarray) -> np.ndarray:
    """Rising regression of values along the last axis: the largest of the least means around."""
    n = values.shape[-1]
    sums = np.concatenate([np.zeros_like(values[..., :1]), values.cumsum(axis=-1)], axis=-1)
    least = np.empty((*values.shape, n))  # from each start: least mean up to each place or later
    for start in range(n):
        means = (sums[..., start + 1 :] - sums[..., start : start + 1]) / np.arange(
            1, n - start + 1
        )
        least[..., start, :start] = -np.inf
        least[..., start, start:] = np.minimum.accumulate(means[..., ::-1], axis=-1)[..., ::-1]
    return least.max(axis=-2)
