"""Rows that agree in one factor: what stands in for holding a factor fixed and drawing the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unweave._check import check_choice, check_codes_factors, check_factor_kinds, factor_labels
from unweave.metrics._information import factor_levels
from unweave.metrics.significance import Subject

__all__ = ["CONVENTIONS", "Groups", "interventional_subject", "standardised"]

CONVENTIONS = ("standardised", "disentanglement_lib", "own_levels")


@dataclass(frozen=True)
class Groups:
    """The rows of a table, grouped by the level of one factor."""

    levels: np.ndarray
    """Level (rows,) of each row."""
    order: np.ndarray
    """Rows (rows,), group by group."""
    starts: np.ndarray
    """Where each group starts in ``order`` (levels + 1,)."""

    @classmethod
    def by(cls, levels: np.ndarray, n_levels: int) -> Groups:
        """Group rows by ``levels`` (rows,), which run from 0 to ``n_levels`` - 1."""
        order = np.argsort(levels, kind="stable")
        counts = np.bincount(levels, minlength=n_levels)
        return cls(levels, order, np.concatenate([[0], np.cumsum(counts)]))

    def draw(self, like: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator):
        """Rows of ``shape``, each from the group of the row in ``like`` (broadcast to it)."""
        level = self.levels[like]
        start, size = self.starts[level], self.starts[level + 1] - self.starts[level]
        return self.order[start + (rng.random(shape) * size).astype(np.int64)]


def all_groups(factors: np.ndarray, kinds: Sequence[str] | None) -> list[Groups]:
    """The groups of each factor."""
    levels, n_levels = factor_levels(factors, kinds)
    return [Groups.by(row, int(n)) for row, n in zip(levels, n_levels, strict=True)]


def standardised(codes: np.ndarray) -> np.ndarray:
    """Codes (samples, latents) of mean 0 and standard deviation 1; 0 where they never vary."""
    spread = codes.std(axis=0, dtype=np.float64)
    # A constant's computed deviation is rounding error of its magnitude.
    spread[spread <= 1e-7 * np.abs(codes).max(axis=0)] = np.inf
    return (codes - codes.mean(axis=0, dtype=np.float64)) / spread


def interventional_subject(
    codes: object,
    factors: object,
    convention: str,
    settings: dict[str, object],
    *,
    factor_names: Sequence[str] | None,
    factor_kinds: Sequence[str] | None,
    seed: int,
    thin: int,
) -> tuple[Subject, Sequence[str] | None]:
    """The checked arrays with what their scores say of themselves, and the kinds of factors."""
    is_grid = not isinstance(factors, np.ndarray) and hasattr(factors, "sizes")
    factor_names, factor_kinds = factor_labels(factors, factor_names, factor_kinds)
    codes, factors = check_codes_factors(codes, factors, names=factor_names)
    check_choice("convention", convention, CONVENTIONS)
    n_factors = factors.shape[1]
    kinds = check_factor_kinds(factor_kinds, n_factors) if factor_kinds is not None else None
    notes = (
        ()
        if is_grid
        else (
            "interventions by grouping: rows that agree in a factor stand in for fresh samples "
            "with that factor held fixed",
        )
    )
    sampling = "grid" if is_grid else "rows"
    subject = Subject(
        codes,
        factors,
        list(factor_names or map(str, range(n_factors))),
        {"convention": convention, "sampling": sampling, **settings},
        seed,
        notes=notes,
        thin=thin,
    )
    return subject, kinds
