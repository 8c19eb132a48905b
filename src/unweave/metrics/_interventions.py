"""Rows that agree in one factor: what stands in for holding a factor fixed and drawing the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unweave.metrics._information import factor_levels
from unweave.metrics.metric import Metric
from unweave.metrics.sample import Sample

__all__ = [
    "CONVENTIONS",
    "GROUPING",
    "GridGroups",
    "Groups",
    "Interventional",
    "all_groups",
    "groups_of",
]

CONVENTIONS = ("standardised", "disentanglement_lib")
GROUPING = (
    "interventions by grouping: rows that agree in a factor stand in for fresh samples with that "
    "factor held fixed"
)


@dataclass(frozen=True, kw_only=True)
class Interventional(Metric):
    """A metric of rows that agree in one factor."""

    family = "interventions"

    convention: str = "standardised"
    """standardised, or those of other libraries, which depend on the scale of the codes."""

    @property
    def keep(self) -> tuple[str, ...]:
        """Other conventions weigh or prune latents by their spread."""
        return () if self.convention == "standardised" else ("scale",)

    def settings(self, sample: Sample) -> dict[str, Any]:
        """With how rows are drawn."""
        return {**self.options, "sampling": "rows" if sample.grid is None else "grid"}

    def notes(self, sample: Sample) -> tuple[str, ...]:
        """That rows are grouped."""
        return (GROUPING,) if sample.grid is None else ()


@dataclass(frozen=True)
class Groups:
    """The rows of a table, grouped by the level of one factor."""

    levels: np.ndarray
    """Level (rows,) of each row, int32."""
    order: np.ndarray
    """Rows (rows,), group by group."""
    starts: np.ndarray
    """Where each group starts in ``order`` (levels + 1,)."""

    @classmethod
    def by(cls, levels: np.ndarray, n_levels: int) -> Groups:
        """Group rows by ``levels`` (rows,), which run from 0 to ``n_levels`` - 1."""
        from unweave.metrics import _kernels

        return cls(levels, *_kernels.group_rows(levels, n_levels))

    @property
    def n_rows(self) -> int:
        """Rows of the table."""
        return len(self.levels)

    def draw(self, like: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator):
        """Rows of ``shape``, each from the group of the row in ``like`` (broadcast to it)."""
        level = self.levels[like]
        start, size = self.starts[level], self.starts[level + 1] - self.starts[level]
        return self.order[start + (rng.random(shape) * size).astype(np.int64)]


@dataclass(frozen=True)
class GridGroups:
    """The rows of a whole grid in C order, grouped by one factor: arithmetic takes no table.

    It may have up to 2**31 - 1 rows.
    """

    sizes: Sequence[int]
    factor: int

    @property
    def n_rows(self) -> int:
        """Rows of the grid."""
        return int(np.prod(self.sizes))

    def draw(self, like: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator):
        """Rows of ``shape``, each with the level of the row in ``like`` (broadcast to it)."""
        size = np.int32(self.sizes[self.factor])
        stride = np.int32(np.prod(self.sizes[self.factor + 1 :], dtype=np.int64))
        rows = rng.integers(self.n_rows, size=shape, dtype=np.int32)
        return rows + (like // stride % size - rows // stride % size) * stride


def groups_of(sample: Sample) -> Sequence[Groups | GridGroups]:
    """The rows grouped by each factor."""
    if sample.grid is not None:
        return [GridGroups(sample.grid, k) for k in range(len(sample.grid))]
    return all_groups(sample.factors, sample.kinds)


def all_groups(factors: np.ndarray, kinds: Sequence[str] | None) -> list[Groups]:
    """The groups of each factor, of any rows."""
    levels, n_levels = factor_levels(factors, kinds)
    return [Groups.by(row, int(n)) for row, n in zip(levels, n_levels, strict=True)]
