"""How far a score could be chance, and how far it could be off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from unweave._check import check_positive, constant_columns
from unweave.metrics.score import Chance, Details

__all__ = ["Noise", "chance_level", "interval", "p_value", "projection_level", "with_noise"]

Statistic = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Noise:
    """How much is spent on knowing the noise of a score."""

    n_permutations: int = 100
    """Permutations of the rows of the factors, for the chance level and the p-value."""
    n_projections: int = 20
    """Random linear projections of the factors."""
    n_halves: int = 50
    """Random halves of the rows, for the interval."""
    confidence: float = 0.95
    """Nominal coverage of the interval."""

    def __post_init__(self) -> None:
        for name in ("n_permutations", "n_projections", "n_halves"):
            check_positive(name, getattr(self, name), minimum=2)
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, not {self.confidence}")


def chance_level(
    statistic: Statistic, codes: np.ndarray, factors: np.ndarray, n_draws: int, seed: int
) -> tuple[Chance, np.ndarray]:
    """The statistic with the rows of ``factors`` permuted against ``codes``, and its draws."""
    rng = np.random.default_rng([seed, 1])
    permuted = (factors[rng.permutation(len(factors))] for _ in range(n_draws))
    draws = np.array([statistic(codes, shuffled) for shuffled in permuted])
    return Chance(float(draws.mean()), float(draws.std(ddof=1)), n_draws), draws


def p_value(value: float, chance_draws: np.ndarray) -> float:
    """Share of the draws, the value itself counted among them, that reach the value."""
    return float((1 + np.sum(chance_draws >= value)) / (1 + len(chance_draws)))


def projection_level(
    statistic: Statistic, factors: np.ndarray, n_latents: int, n_draws: int, seed: int
) -> Chance:
    """The statistic for random linear projections of ``factors``, each scaled to [-1, 1]."""
    rng = np.random.default_rng([seed, 2])
    low, high = factors.min(axis=0), factors.max(axis=0)
    unit = 2 * (factors - low) / (high - low) - 1
    draws = np.array(
        [
            statistic(unit @ rng.standard_normal((unit.shape[1], n_latents)), factors)
            for _ in range(n_draws)
        ]
    )
    return Chance(float(draws.mean()), float(draws.std(ddof=1)), n_draws)


def interval(
    statistic: Statistic,
    codes: np.ndarray,
    factors: np.ndarray,
    value: float,
    noise: Noise,
    seed: int,
) -> tuple[float, float]:
    r"""Bounds that hold the value at this sample size and the value that all rows would give.

    Random halves of the rows, drawn without replacement, scatter around the value as samples of
    the full size scatter around their mean. A bias that falls as 1/n doubles from the whole to a
    half, so that twice the value less the mean of the halves is free of it. The interval
    runs from the smaller to the larger of the two, widened by the normal quantile times the
    standard deviation of the extrapolation. (A percentile bootstrap repeats rows, which adds to
    every mutual information: its coverage for MIG is close to none.)
    """
    rng = np.random.default_rng([seed, 3])
    n = len(codes)
    draws = []
    for _ in range(noise.n_halves):
        rows = rng.permutation(n)[: n // 2]
        if not constant_columns(factors[rows]).size:
            draws.append(statistic(codes[rows], factors[rows]))
    if len(draws) < max(2, 0.9 * noise.n_halves):
        raise ValueError(
            f"{n} rows are too few for an interval: in many halves of them a factor never varies; "
            "give more rows, or pass noise=None for the bare value"
        )
    halves = np.array(draws)
    extrapolated = 2 * value - halves.mean()
    z = NormalDist().inv_cdf(0.5 + noise.confidence / 2)
    margin = z * halves.std(ddof=1) * np.sqrt(1 + 1 / len(halves))
    low = min(value, extrapolated) - margin
    high = max(value, extrapolated) + margin
    return float(max(low, 0.0)), float(min(high, 1.0))


def with_noise(
    details: Details,
    value: float,
    statistic: Statistic,
    codes: np.ndarray,
    factors: np.ndarray,
    noise: Noise | None,
) -> Details:
    """``details`` with chance levels, p-value and interval; as they are if ``noise`` is None."""
    if noise is None:
        return details
    seed = details.seed
    chance, draws = chance_level(statistic, codes, factors, noise.n_permutations, seed)
    adjusted = details.adjusted
    if adjusted is None:
        adjusted = (value - chance.mean) / (1 - chance.mean)
    return replace(
        details,
        adjusted=float(adjusted),
        chance=chance,
        projection=projection_level(statistic, factors, codes.shape[1], noise.n_projections, seed),
        interval=interval(statistic, codes, factors, value, noise, seed),
        confidence=noise.confidence,
        p_value=p_value(value, draws),
    )
