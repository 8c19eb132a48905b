"""Predictors of factors from codes, and the rows that they learn from and are judged on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unweave._check import constant_columns
from unweave._factors import LEVELS_OF_CIRCLE
from unweave.metrics._information import factor_levels
from unweave.metrics._scale import Scale
from unweave.metrics.significance import WIDE

__all__ = [
    "Split",
    "hold_out",
    "labelled",
    "logistic_regression",
    "r_squared",
    "scaled_like",
    "targets_by_kind",
]

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Codes and factors to learn from, codes and factors to be judged on."""


def hold_out(codes: np.ndarray, factors: np.ndarray, test: tuple | None, seed: int) -> Split:
    """Split off ``test``, or else a random third of the rows."""
    if test is not None:
        return codes, factors, *test
    rows = np.random.default_rng([seed, 4]).permutation(len(codes))
    cut = max(1, len(codes) // 3)
    learn, judge = rows[cut:], rows[:cut]
    return codes[learn], factors[learn], codes[judge], factors[judge]


def labelled(split: Split, kinds: Sequence[str] | None) -> tuple[np.ndarray, np.ndarray]:
    """Levels (factors, rows) of the rows to learn from and of those to be judged on."""
    both = np.concatenate([split[1], split[3]])
    levels, _ = factor_levels(both, kinds)
    return levels[:, : len(split[1])], levels[:, len(split[1]) :]


def scaled_like(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """``train`` at mean 0 and deviation 1, the others by the same measure; 0 where it is constant.

    Codes are to come without an offset, as :class:`~unweave.metrics._scale.Scale` leaves them.
    """
    mean, spread = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    constant = constant_columns(train)
    spread[constant] = 1.0
    scale = 1 / spread
    scale[constant] = 0.0
    return [(part - mean) * scale for part in (train, *others)]


def logistic_regression(codes: np.ndarray, labels: np.ndarray, **options: Any) -> Any:
    """A fitted multinomial logistic regression, scikit-learn's defaults but for ``options``.

    Its hundred steps are part of the conventions that scores are compared in: `score_all` keeps
    its warnings of them from the user. Wide codes are fitted in single precision, in half the time.
    """
    from sklearn.linear_model import LogisticRegression

    if codes.shape[1] > WIDE:
        codes = codes.astype(np.float32)
    return LogisticRegression(**options).fit(codes, labels)


def targets_by_kind(factors: np.ndarray, kinds: Sequence[str]) -> list[np.ndarray]:
    """What a linear map is to find of each factor (samples, targets).

    The factor itself, from an origin and in a unit that keep sums exact; the point on its circle,
    if it is circular; an indicator of each level, if it is categorical.
    """
    targets = []
    for factor, kind in zip(factors.T, kinds, strict=True):
        if kind in ("circular", LEVELS_OF_CIRCLE):
            once = 2 * np.pi / (factor.max() + 1)
            angle = factor * once if kind == LEVELS_OF_CIRCLE else factor
            targets.append(np.stack([np.cos(angle), np.sin(angle)], axis=1))
        elif kind == "categorical":
            targets.append((factor[:, None] == np.unique(factor)).astype(np.float64))
        else:
            column = factor[:, None]
            targets.append(Scale.of(column).apply(column).astype(np.float64))
    return targets


def r_squared(predicted: np.ndarray, target: np.ndarray) -> float:
    """Share of the total variance of ``target`` (rows, targets) that is predicted."""
    total = np.sum((target - target.mean(axis=0)) ** 2)
    return float(1 - np.sum((target - predicted) ** 2) / total) if total > 0 else 0.0
