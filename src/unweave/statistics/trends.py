"""What the numbers of a study do and do not show."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from unweave.statistics.permutation import LEVEL, spearman_test

__all__ = [
    "SeedComparison",
    "Correlation",
    "RankOrder",
    "Trend",
    "compare_seeds",
    "correlate",
    "mean_interval",
    "rank_order",
    "trend",
]

_DRAWS = 10_000
_EXACT = 8  # models, of which all orders are counted


@dataclass(frozen=True)
class Trend:
    """How a metric of one objective goes with training compute.

    Attributes
    ----------
    correlation
        Mean over seeds of the rank correlation (Spearman) between steps and score, in [-1, 1].
    p_value
        Two-sided, from permuting each seed's scores among its milestones.
    first, last
        Mean scores at the first and at the last milestone.
    change, low, high
        Mean over seeds of last minus first, and its 95 % interval (Student's t over seeds).
    n_seeds
        Seeds behind it; with one there is no interval, and the bounds are infinite.
    """

    correlation: float
    p_value: float
    first: float
    last: float
    change: float
    low: float
    high: float
    n_seeds: int

    @property
    def is_significant(self) -> bool:
        """Whether the permutation test rejects that the order of the milestones is random."""
        return self.p_value < LEVEL


@dataclass(frozen=True)
class SeedComparison:
    """Two objectives at one milestone: mean difference over seeds, and its p-value."""

    difference: float
    low: float
    high: float
    p_value: float

    @property
    def is_significant(self) -> bool:
        """Whether Welch's test rejects equal means."""
        return self.p_value < LEVEL


@dataclass(frozen=True)
class Correlation:
    """Rank correlation of two metrics over models; its p-value takes all models as independent."""

    correlation: float
    p_value: float
    n_models: int


@dataclass(frozen=True)
class RankOrder:
    """How scores go with the sizes of a few models.

    Attributes
    ----------
    correlation
        Rank correlation (Spearman) of size and score, in [-1, 1].
    p_value
        Two-sided: the share of all orders of the scores with a correlation as far from 0, counted
        for up to 8 models.
    least_p
        What the best possible order would get: with five models 0.017, with three 0.33.
    n_models
        How many.
    """

    correlation: float
    p_value: float
    least_p: float
    n_models: int

    @property
    def is_significant(self) -> bool:
        """Whether the test rejects that the order is random."""
        return self.p_value < LEVEL


def trend(table: pl.DataFrame, *, seed: int = 0) -> Trend:
    """The trend over steps of one metric of one objective, seeds as they are in ``table``.

    ``table`` has a row per seed and step, with columns ``seed``, ``step`` and ``value``; only steps
    that every seed has are used.
    """
    scores = _by_seed(table)
    steps = np.arange(scores.shape[1])
    rng = np.random.default_rng(seed)
    correlation, p_value = spearman_test(steps, scores, rng, n_draws=_DRAWS)
    change = scores[:, -1] - scores[:, 0]
    low, high = mean_interval(change)
    return Trend(
        correlation=correlation,
        p_value=p_value,
        first=float(scores[:, 0].mean()),
        last=float(scores[:, -1].mean()),
        change=float(change.mean()),
        low=low,
        high=high,
        n_seeds=len(scores),
    )


def compare_seeds(a: np.ndarray, b: np.ndarray) -> SeedComparison | None:
    """Mean of ``a`` less mean of ``b`` over seeds, by Welch's t; None for fewer than two seeds."""
    if min(len(a), len(b)) < 2 or np.ptp(a) == np.ptp(b) == 0:
        return None
    result = stats.ttest_ind(a, b, equal_var=False)
    bounds = result.confidence_interval()
    difference = float(np.mean(a) - np.mean(b))
    return SeedComparison(difference, float(bounds.low), float(bounds.high), float(result.pvalue))


def correlate(x: np.ndarray, y: np.ndarray) -> Correlation | None:
    """Rank correlation (Spearman) of two metrics; None with fewer than four models."""
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    result = stats.spearmanr(x, y)
    return Correlation(float(result.statistic), float(result.pvalue), len(x))


def rank_order(sizes: np.ndarray, scores: np.ndarray) -> RankOrder | None:
    """How scores go with sizes; None with fewer than three models, or if all are equal."""
    n = len(sizes)
    if n < 3 or np.ptp(sizes) == 0 or np.ptp(scores) == 0:
        return None
    a, b = (stats.rankdata(values) for values in (sizes, scores))
    correlation = float(np.corrcoef(a, b)[0, 1])
    if n > _EXACT:
        return RankOrder(correlation, float(stats.spearmanr(a, b).pvalue), 2 / math.factorial(n), n)
    orders = np.array(list(itertools.permutations(b)))
    centred = orders - orders.mean(axis=1, keepdims=True)
    found = np.abs(centred @ (a - a.mean())) / (n * a.std() * b.std())
    p_value, least = (float(np.mean(found >= c - 1e-9)) for c in (abs(correlation), found.max()))
    return RankOrder(correlation, p_value, least, n)


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean by Student's t; infinite with one value."""
    n = len(values)
    if n < 2:
        return -float("inf"), float("inf")
    margin = stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
    return float(np.mean(values) - margin), float(np.mean(values) + margin)


def _by_seed(table: pl.DataFrame) -> np.ndarray:
    """Scores (seeds, steps), steps in order."""
    wide = table.pivot(on="seed", index="step", values="value").sort("step").drop_nulls()
    if wide.height < 2:
        raise ValueError(
            f"a trend needs two milestones that all seeds have, and there is {wide.height}"
        )
    return wide.drop("step").to_numpy().T
