"""How a score goes with scale: which law fits best on seeds that it was not fitted to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from unweave.statistics.permutation import LEVEL, monotone_test, smallest_slope

__all__ = ["LAWS", "Law", "ScalingFit", "Turn", "find_turn", "fit_law", "scaling_fit"]

_LEVEL = 0.99  # share of the way to where a law levels off from which on it is level
_SHAPES = 161  # values of the one parameter that a law is not linear in
_POWERS = np.linspace(-2, 2, _SHAPES)


@dataclass(frozen=True)
class Law:
    """A fitted law: ``offset + factor * shape(x)``.

    Attributes
    ----------
    name
        flat, power or saturating.
    offset, factor
        Coefficients.
    parameter
        The exponent of a power law, or the scale at which a saturating law bends.
    """

    name: str
    offset: float
    factor: float
    parameter: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Values at x."""
        shape = LAWS[self.name][1]
        x = np.asarray(x, dtype=np.float64)
        return self.offset + self.factor * shape(x, np.array([self.parameter]))[0]


@dataclass(frozen=True)
class Turn:
    """A scale between the smallest and the largest at which scores are highest, or lowest.

    Attributes
    ----------
    x
        The scale.
    is_peak
        Whether the mean is highest there; otherwise it is lowest.
    p_value
        In [0, 1], of scores that rise over all scales, or fall over all.
    """

    x: float
    is_peak: bool
    p_value: float


@dataclass(frozen=True)
class ScalingFit:
    """What a metric does over a scale.

    Attributes
    ----------
    law
        The simplest law that is as good as the best one, fitted to all seeds.
    errors
        Root mean squared error of each law on held-out seeds.
    extrapolation
        Absolute error of each law at the largest x, from the smaller ones, against the mean there;
        empty with fewer than four levels.
    exponent, low, high
        Exponent of the power law, and its 95 % interval from resampled seeds. Without a trend the
        interval says nothing.
    p_value
        How often levels without an order rise or fall as clearly, from permuting each seed's
        scores, by :func:`~unweave.statistics.permutation.monotone_test`.
    turn
        Where the scores turn, if they do, by :func:`find_turn`.
    reached
        Share of the law's way to where it levels off that the largest x has reached; nan for laws
        that do not level off.
    n_seeds, n_levels
        What it rests on.
    smallest_slope
        Score for each doubling of x, which the test of the p-value would find in 80 % of such
        studies.
    """

    law: Law
    errors: dict[str, float]
    extrapolation: dict[str, float]
    exponent: float
    low: float
    high: float
    p_value: float
    turn: Turn
    reached: float
    n_seeds: int
    n_levels: int
    smallest_slope: float

    @property
    def turns(self) -> bool:
        """Whether the scores significantly rise and then fall, or fall and then rise."""
        return self.turn.p_value < LEVEL

    @property
    def has_trend(self) -> bool:
        """Whether the scores turn, or a law that is not flat wins and the order is not random."""
        return self.turns or (self.law.name != "flat" and self.p_value < LEVEL)

    @property
    def direction(self) -> str:
        """``rises``, ``falls``, ``rises then falls``, ``falls then rises`` or ``no trend``."""
        if self.turns:
            return "rises then falls" if self.turn.is_peak else "falls then rises"
        if not self.has_trend:
            return "no trend"
        rises = self.law.factor * (self.law.parameter if self.law.name == "power" else 1) > 0
        return "rises" if rises else "falls"

    @property
    def form(self) -> str:
        """The law in words, or where scores turn, or else the slope that the test would find."""
        if self.turns:
            return f"{'highest' if self.turn.is_peak else 'lowest'} at {self.turn.x:,.0f}"
        if not self.has_trend:
            return f"a slope of {self.smallest_slope:.2g} would show"
        if self.law.name == "power":
            return f"power law, exponent {self.exponent:.2f} [{self.low:.2f}, {self.high:.2f}]"
        if self.reached < _LEVEL:
            return f"still {self.direction} at the largest scale"
        return f"levels off at {self.law.offset + self.law.factor:.3f}"


def scaling_fit(x: np.ndarray, scores: np.ndarray, *, seed: int = 0) -> ScalingFit:
    """Compare the laws on scores of several seeds at several scales.

    A law is fitted to all seeds but one, and judged on that one. The simplest law of which the
    error is within one standard error of the best is taken, in the order of :data:`LAWS`.

    Parameters
    ----------
    x
        Scales (levels,), above 0, as steps or parameters.
    scores
        Scores (seeds, levels).
    seed
        Seed of permutations and resampling.

    Raises
    ------
    ValueError
        If there are fewer than two seeds or three levels, or an x is not above 0.
    """
    x, scores = np.asarray(x, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if scores.ndim != 2 or scores.shape[0] < 2 or scores.shape[1] < 3 or len(x) != scores.shape[1]:
        raise ValueError(
            f"scores of shape {scores.shape} over {len(x)} levels: a law needs (seeds, levels) "
            "with at least two seeds and three levels"
        )
    if not (x > 0).all() or not np.isfinite(scores).all():
        raise ValueError("scales must be above 0, and scores finite")
    order = np.argsort(x)
    x, scores = x[order], scores[:, order]
    n = len(scores)
    squares = {name: _held_out(name, x, scores) for name in LAWS}
    means = {name: float(own.mean()) for name, own in squares.items()}
    best = min(means, key=lambda name: means[name])
    close = squares[best].std(ddof=1) / np.sqrt(n)
    chosen = next(name for name in LAWS if means[name] <= means[best] + close)
    law = fit_law(chosen, x, scores.mean(axis=0))
    rng = np.random.default_rng(seed)
    resampled = scores[rng.integers(0, n, (200, n))].mean(axis=1)
    exponents = [fit_law("power", x, mean).parameter for mean in resampled]
    extrapolation = {}
    if len(x) > 3:
        last = float(scores[:, -1].mean())
        for name in LAWS:
            shorter = fit_law(name, x[:-1], scores[:, :-1].mean(axis=0))
            extrapolation[name] = abs(float(shorter(x[-1:])[0]) - last)
    return ScalingFit(
        law=law,
        errors={name: float(np.sqrt(value)) for name, value in means.items()},
        extrapolation=extrapolation,
        exponent=fit_law("power", x, scores.mean(axis=0)).parameter,
        low=float(np.quantile(exponents, 0.025)),
        high=float(np.quantile(exponents, 0.975)),
        p_value=monotone_test(scores, rng),
        turn=find_turn(x, scores),
        reached=_reached(law, x),
        n_seeds=n,
        n_levels=len(x),
        smallest_slope=smallest_slope(x, scores, rng),
    )


def _reached(law: Law, x: np.ndarray) -> float:
    """Share of its way from the smallest x to where it levels off that a law has gone."""
    if law.name != "saturating":
        return np.nan
    left = np.exp(-x / law.parameter)
    return float(1 - left[-1] / left[0])


def find_turn(x: np.ndarray, scores: np.ndarray) -> Turn:
    """Where scores are highest or lowest between both ends of a scale, and how sure that is.

    Laws and :func:`~unweave.statistics.permutation.monotone_test` see a rise or a fall. Here each
    level between is compared with both ends, as Simonsohn's two lines test both sides of a turn
    (2018, https://doi.org/10.1177/2515245918805755): it must be above both, or below both, by
    Student's t over the differences of each seed. The p-value is corrected for the number of levels
    and both directions (Bonferroni).

    Parameters
    ----------
    x
        Scales (levels,) in ascending order.
    scores
        Scores (seeds, levels).
    """
    n_between = len(x) - 2
    between, means = scores[:, 1:-1], scores.mean(axis=0)
    found = []
    for is_peak in (True, False):
        sign = 1 if is_peak else -1
        above = [_t_test(sign * (between - scores[:, [end]])) for end in (0, -1)]
        p_value = min(1.0, 2 * n_between * float(np.max(above, axis=0).min()))
        place = 1 + int(np.argmax(sign * means[1:-1]))
        found.append(Turn(float(x[place]), is_peak, p_value))
    return min(found, key=lambda turn: turn.p_value)


def _t_test(differences: np.ndarray) -> np.ndarray:
    """P-values (levels,) of a mean of differences (seeds, levels) above 0, one-sided."""
    n, means = len(differences), differences.mean(axis=0)
    errors = differences.std(axis=0, ddof=1) / np.sqrt(n)
    constant = np.where(means > 0, 0.0, 1.0)  # seeds that do not differ
    t = np.divide(means, errors, out=np.zeros_like(means), where=errors > 0)
    return np.where(errors > 0, stats.t.sf(t, n - 1), constant)


def fit_law(name: str, x: np.ndarray, y: np.ndarray) -> Law:
    """Least squares: linear in two coefficients, and the third parameter tried one by one."""
    parameters, shape = LAWS[name]
    tried = parameters(x)
    shapes = shape(x, tried)  # (parameters, levels)
    centred = shapes - shapes.mean(axis=1, keepdims=True)
    norms = (centred**2).sum(axis=1)
    factors = np.where(norms > 0, centred @ (y - y.mean()) / np.where(norms > 0, norms, 1), 0.0)
    errors = ((y - y.mean() - factors[:, None] * centred) ** 2).sum(axis=1)
    i = int(errors.argmin())
    offset = y.mean() - factors[i] * shapes[i].mean()
    return Law(name, float(offset), float(factors[i]), float(tried[i]))


def _flat(x: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    return np.zeros((len(parameters), len(x)))


def _power(x: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    return x ** parameters[:, None]


def _saturating(x: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    return 1 - np.exp(-x / parameters[:, None])


def _exponents(x: np.ndarray) -> np.ndarray:
    return _POWERS[np.abs(_POWERS) > 1e-9]


def _bends(x: np.ndarray) -> np.ndarray:
    return np.geomspace(x.min() / 3, 3 * x.max(), _SHAPES)


LAWS: dict[str, tuple[Callable, Callable]] = {
    "flat": (lambda x: np.zeros(1), _flat),
    "saturating": (_bends, _saturating),
    "power": (_exponents, _power),
}
"""By name, the values of the parameter that are tried and the shape; the simplest first."""


def _held_out(name: str, x: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Mean squared error on each seed, of the law that was fitted to the others."""
    others = (scores.sum(axis=0) - scores) / (len(scores) - 1)
    laws = [fit_law(name, x, mean) for mean in others]
    return np.array([((own - law(x)) ** 2).mean() for own, law in zip(scores, laws, strict=True)])
