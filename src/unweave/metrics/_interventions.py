"""Rows that agree in one factor: what stands in for holding a factor fixed and drawing the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unweave._check import check_choice
from unweave._factors import read_codes_factors
from unweave.metrics._information import factor_levels
from unweave.metrics._subject import subject_of
from unweave.metrics.significance import Subject

__all__ = ["GridGroups", "Groups", "all_groups", "interventional_subject"]

CONVENTIONS = ("standardised", "disentanglement_lib")
_GROUPING = (
    "interventions by grouping: rows that agree in a factor stand in for fresh samples with that "
    "factor held fixed"
)


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


def all_groups(factors: np.ndarray, kinds: Sequence[str] | None) -> list[Groups]:
    """The groups of each factor."""
    levels, n_levels = factor_levels(factors, kinds)
    return [Groups.by(row, int(n)) for row, n in zip(levels, n_levels, strict=True)]


GroupsOf = Callable[[np.ndarray], Sequence[Groups | GridGroups]]


def interventional_subject(
    codes: object,
    factors: object,
    convention: str,
    settings: Mapping[str, Any],
    conventions: Sequence[str] = CONVENTIONS,
    **options: Any,
) -> tuple[Subject, tuple[str, ...], GroupsOf]:
    """The checked arrays with what their scores say, the kinds of factors, and how rows group."""
    check_choice("convention", convention, conventions)
    names, kinds = options.pop("factor_names"), options.pop("factor_kinds")
    codes, table = read_codes_factors(codes, factors, names=names, kinds=kinds)
    settings = {
        "convention": convention,
        "sampling": "grid" if table.grid else "rows",
        **settings,
    }
    notes = () if table.grid else (_GROUPING,)
    # Other conventions weigh or prune latents by their spread.
    keep = () if convention == "standardised" else ("scale",)
    subject, readings = subject_of(
        codes,
        table,
        settings,
        factor_names=None,
        factor_kinds=None,
        notes=notes,
        keep=keep,
        **options,
    )
    sizes = table.grid

    def groups_of(rows: np.ndarray) -> Sequence[Groups | GridGroups]:
        if sizes is not None and rows is subject.factors:
            return [GridGroups(sizes, k) for k in range(len(sizes))]
        return all_groups(rows, readings)

    return subject, readings, groups_of
