"""How far a score could be chance, and how far it could be off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from unweave._check import check_positive

__all__ = ["ROUNDING", "Noise", "interval", "p_value"]

_ENOUGH_FOR_RANKS = 50
ROUNDING = 1e-12
"""Rounding error of numbers of size 1, such as scores, that sums over many rows leave."""
_LEAST_P = 1e-3  # beyond it the tail of so few draws is anyone's guess
_HEIGHT = 4.0  # of the mean above the floor, in deviations: a gamma variable with skewness 1/2


@dataclass(frozen=True)
class Noise:
    """How much is spent on knowing the noise of a score.

    Metrics that are read from counts take all of these draws. Expensive ones take a half, a fifth
    or a tenth. With more than 64 latents, those of a half take a tenth and the others a thirtieth,
    though never fewer than three, or two projections. The page of the metrics has the share of
    each.
    """

    n_permutations: int = 100
    """Permutations of the rows of the factors, for the chance level and the p-value."""
    n_projections: int = 20
    """Random linear projections of the factors, and as many sets of random smooth features."""
    n_halves: int = 50
    """Random halves of the rows, for the interval."""
    confidence: float = 0.95
    """Nominal coverage of the interval."""

    def __post_init__(self) -> None:
        for name in ("n_permutations", "n_projections", "n_halves"):
            check_positive(name, getattr(self, name), minimum=2)
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, not {self.confidence}")

    def thinned(self, by: int) -> Noise:
        """The same with ``by`` times fewer draws, though never fewer than are needed."""
        if by == 1:
            return self
        return replace(
            self,
            n_permutations=min(self.n_permutations, max(3, self.n_permutations // by)),
            n_projections=max(2, self.n_projections // by),
            n_halves=min(self.n_halves, max(3, self.n_halves // by)),
        )


def interval(
    value: float,
    halves: np.ndarray,
    confidence: float,
    *,
    top: float | None = None,
    bounded: bool = True,
) -> tuple[float, float]:
    r"""Bounds that hold the value at this sample size and the value that all rows would give.

    Random halves of the rows, drawn without replacement, scatter around the value as samples of
    the full size scatter around their mean. A bias that falls as 1/n doubles from the whole to a
    half, so that twice the value less the mean of the halves is free of it. The interval
    runs from the smaller to the larger of the two, widened by the normal quantile times the
    standard deviation of the extrapolation. (A percentile bootstrap repeats rows, which adds to
    every mutual information: its coverage for MIG is close to none.)
    """
    extrapolated = 2 * value - halves.mean()
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    margin = z * halves.std(ddof=1) * np.sqrt(1 + 1 / len(halves))
    low, high = min(value, extrapolated) - margin, max(value, extrapolated) + margin
    if not bounded:
        return float(low), float(high)
    # What is measured may itself lie beyond the bounds of its population value, and stays inside.
    low, high = max(low, min(0.0, value)), high if top is None else min(high, max(top, value))
    return float(low), float(high)


def p_value(value: float, chance: np.ndarray, *, size: float = 1.0) -> float:
    """How likely chance reaches the value: by rank, or of few draws by a skewed tail, from 0.001.

    Values count as equal when they differ by rounding error of numbers of this ``size``. See
    docs/decisions/0009 for how often few draws give a p-value of 0.05, 0.01 and 0.002 where there
    is nothing but chance.
    """
    value = value - ROUNDING * size
    if len(chance) >= _ENOUGH_FOR_RANKS:
        return float((1 + np.sum(chance >= value)) / (1 + len(chance)))
    if chance.std(ddof=1) <= ROUNDING * size:
        return 1.0 if value <= chance.max() else 1 / (1 + len(chance))
    return max(_skewed_tail(value, chance), _LEAST_P)


def _skewed_tail(value: float, draws: np.ndarray) -> float:
    """How likely one more draw reaches the value, if draws follow a gamma distribution.

    A score that is a mean of a few gaps is skewed by chance: its upper tail is longer than that of
    a normal variable. Cube roots of a gamma variable are nearly normal, so that the tail is that of
    Student's t for one more of them (Wilson and Hilferty, 1931,
    https://doi.org/10.1073/pnas.17.12.684). The distribution starts at 0, or at a floor below the
    draws where 0 is far away or is not a bound.
    """
    from scipy.special import stdtr

    floor = draws.mean() - _HEIGHT * draws.std(ddof=1)
    if draws.min() >= 0:
        floor = max(floor, 0.0)
    roots = np.cbrt(draws - floor)
    spread = roots.std(ddof=1) * np.sqrt(1 + 1 / len(roots))
    return float(stdtr(len(roots) - 1, (roots.mean() - np.cbrt(value - floor)) / spread))
