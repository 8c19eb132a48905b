"""What read-outs predict: columns of numbers for each factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unweave.datasets import Factor, FactorDataset

__all__ = ["Moments", "Target", "moments_of", "targets_of"]

_CHUNK = 100_000  # rows


@dataclass(frozen=True)
class Target:
    """The columns that stand for one factor.

    A number for an ordered factor: its level, or its value if it has no levels. Cosine and sine of
    a circular one. One column for each level of a categorical one, 1 where it is the level.
    """

    factor: Factor

    @property
    def n_columns(self) -> int:
        """How many columns there are."""
        return {"circular": 2, "categorical": self.factor.size}.get(self.factor.kind, 1)

    def columns(self, values: np.ndarray) -> np.ndarray:
        """Columns (n, columns) float64 of values (n,) as datasets give them."""
        if self.factor.kind == "categorical":
            return (values[:, None] == np.arange(self.factor.size)).astype(np.float64)
        if self.factor.kind == "circular":
            levels = self.factor.has_levels
            angles = np.array(self.factor.values)[values.astype(int)] if levels else values
            return np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return values[:, None].astype(np.float64)


@dataclass(frozen=True)
class Moments:
    """Number, sums and sums of squares (columns,) of the columns of targets."""

    n: int
    sums: np.ndarray
    squares: np.ndarray

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.n + other.n, self.sums + other.sums, self.squares + other.squares)

    @property
    def variances(self) -> np.ndarray:
        """Variance (columns,) of each column."""
        return np.maximum(self.squares / self.n - (self.sums / self.n) ** 2, 0)


def targets_of(factors: Sequence[Factor]) -> tuple[Target, ...]:
    """The target of each factor."""
    return tuple(Target(factor) for factor in factors)


def moments_of(dataset: FactorDataset) -> Moments:
    """Moments over all images of which every scored factor is known."""
    targets = targets_of(dataset.scored)
    n_columns = sum(target.n_columns for target in targets)
    total = Moments(0, np.zeros(n_columns), np.zeros(n_columns))
    for start in range(0, len(dataset), _CHUNK):
        values = dataset.factors(np.arange(start, min(start + _CHUNK, len(dataset))))
        values = values[np.isfinite(values).all(axis=1)]
        columns = [target.columns(values[:, k]) for k, target in enumerate(targets)]
        table = np.concatenate(columns, axis=1)
        total += Moments(len(table), table.sum(axis=0), (table**2).sum(axis=0))
    return total
