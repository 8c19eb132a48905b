"""Predictors of factors from codes, and the rows that they learn from and are judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unweave._check import constant_columns
from unweave._factors import LEVELS_OF_CIRCLE
from unweave._parallel import in_threads
from unweave.metrics._information import factor_levels
from unweave.metrics._scale import Scale

if TYPE_CHECKING:
    from unweave.metrics._logistic import LogisticRegression
    from unweave.metrics.sample import Sample

__all__ = [
    "WIDE",
    "HeldOut",
    "Split",
    "angle_of",
    "codes_apart",
    "cut_angle_r_squared",
    "factors_apart",
    "hold_out",
    "labelled",
    "logistic_regression",
    "r_squared",
    "scaled_like",
    "scikit_learn_seed",
    "targets_by_kind",
]

WIDE = 64  # latents, beyond which fits are expensive and less is spent on them
Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Codes and factors to learn from, codes and factors to be judged on."""


def hold_out(sample: Sample) -> Split:
    """All rows and those that the user gave to judge on; else a random third is split off."""
    (learn, judge), (learn_factors, judge_factors) = codes_apart(sample), factors_apart(sample)
    return learn, learn_factors, judge, judge_factors


def codes_apart(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """The codes of :func:`hold_out`, to learn from and to be judged on."""
    if sample.test is not None:
        return sample.codes, sample.test[0]
    learn, judge = _rows_apart(sample)
    return sample.codes[learn], sample.codes[judge]


def factors_apart(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """The factors of :func:`hold_out`, to learn and to be judged on."""
    if sample.test is not None:
        return sample.factors, sample.test[1]
    learn, judge = _rows_apart(sample)
    return sample.factors[learn], sample.factors[judge]


def _rows_apart(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows to learn from and of a random third to be judged on."""
    rows = np.random.default_rng([sample.seed, 4]).permutation(len(sample.codes))
    cut = max(1, len(rows) // 3)
    return rows[cut:], rows[:cut]


def labelled(
    factors: Sequence[np.ndarray], kinds: Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Levels (factors, rows) of the rows to learn from and of those to be judged on."""
    levels, _ = factor_levels(np.concatenate(factors), kinds)
    n = len(factors[0])
    return levels[:, :n], levels[:, n:]


def scaled_like(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """``train`` at mean 0 and deviation 1, the others by the same measure; 0 where it is constant.

    Codes are to come without an offset, as :class:`~unweave.metrics._scale.Scale` leaves them.
    """
    mean, spread = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    constant = constant_columns(train)
    spread[constant] = 1.0
    scale = 1 / spread
    scale[constant] = 0.0
    found = [part - mean for part in (train, *others)]
    for part in found:
        part *= scale
    return found


def logistic_regression(
    codes: Any, labels: np.ndarray, *, penalty: float = 1.0, balanced: bool = False
) -> LogisticRegression:
    """A fitted logistic regression, with scikit-learn's defaults but for the options.

    Its hundred steps are part of the conventions that scores are compared in. Wide codes are fitted
    in single precision, in half the time, unless they are sparse.
    """
    from unweave.metrics._logistic import LogisticRegression

    if codes.shape[1] > WIDE and isinstance(codes, np.ndarray):
        codes = codes.astype(np.float32)
    return LogisticRegression.fit(codes, labels, penalty=penalty, balanced=balanced)


@dataclass(frozen=True)
class HeldOut:
    """Regressions of factors on all standardised rows to learn from, and rows to be judged on."""

    judge: np.ndarray
    """Standardised codes (rows, latents) to be judged on."""
    learn_levels: np.ndarray
    """(factors, rows)"""
    judge_levels: np.ndarray
    """(factors, rows)"""
    models: Sequence[LogisticRegression | None]
    """One for each factor; None where all rows to learn from have the same level."""

    @classmethod
    def of(cls, sample: Sample) -> HeldOut:
        """Fitted once for all metrics that read the sample."""

        def fit() -> HeldOut:
            train, judge = scaled_like(*codes_apart(sample))
            learn_levels, judge_levels = labelled(factors_apart(sample), sample.kinds)
            models = in_threads(
                lambda levels: logistic_regression(train, levels) if np.ptp(levels) > 0 else None,
                learn_levels,
            )
            return cls(judge, learn_levels, judge_levels, models)

        return sample.once("regressions", fit)


def scikit_learn_seed(seed: int) -> int:
    """The seed as scikit-learn takes it: below 2**32."""
    return seed % 2**32


def targets_by_kind(factors: np.ndarray, kinds: Sequence[str]) -> list[np.ndarray]:
    """What a linear map is to find of each factor (samples, targets).

    The factor itself, from an origin and in a unit that keep sums exact; the point on its circle,
    if it is circular; an indicator of each level, if it is categorical.
    """
    targets = []
    for factor, kind in zip(factors.T, kinds, strict=True):
        angle = angle_of(factor, kind)
        if angle is not None:
            targets.append(np.stack([np.cos(angle), np.sin(angle)], axis=1))
        elif kind == "categorical":
            targets.append((factor[:, None] == np.unique(factor)).astype(np.float64))
        else:
            column = factor[:, None]
            targets.append(Scale.of(column).apply(column).astype(np.float64))
    return targets


def angle_of(factor: np.ndarray, kind: str) -> np.ndarray | None:
    """Angles (rows,) in radians of a circular factor; None for any other kind."""
    if kind == LEVELS_OF_CIRCLE:
        return factor * (2 * np.pi / (factor.max() + 1))
    return factor if kind == "circular" else None


def cut_angle_r_squared(codes: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Share (latents,) of the variance of ``angle`` (rows,) that a line in each latent explains.

    The circle is cut open where it suits that latent best: a latent that is the angle itself, from
    wherever on, has 1. Moving the cut past a row adds a full turn to its angle, so that all cuts
    follow from running sums.
    """
    turned = angle % (2 * np.pi)
    order = np.argsort(turned, kind="stable")
    y, z = turned[order] - np.pi, codes[order].astype(np.float64)
    z -= z.mean(axis=0)
    n, turn = len(y), 2 * np.pi
    cuts = np.flatnonzero(np.diff(y) > 0)  # the last row that a cut lies behind
    total = y.sum() + turn * np.append(0, cuts + 1)
    squares = (y**2).sum() + np.append(0, np.cumsum(2 * turn * y + turn**2)[cuts])
    products = z.T @ y
    products = np.concatenate([products[None], products + turn * np.cumsum(z, axis=0)[cuts]])
    alive = np.delete(np.arange(z.shape[1]), constant_columns(codes))
    shares = np.zeros(z.shape[1])
    variance = squares - total**2 / n
    explained = products[:, alive] ** 2 / ((z[:, alive] ** 2).sum(axis=0) * variance[:, None])
    shares[alive] = np.clip(explained.max(axis=0), 0, 1)
    return shares


def r_squared(predicted: np.ndarray, target: np.ndarray) -> float:
    """Share of the total variance of ``target`` (rows, targets) that is predicted."""
    total = np.sum((target - target.mean(axis=0)) ** 2)
    return float(1 - np.sum((target - predicted) ** 2) / total) if total > 0 else 0.0
