"""Codes at the levels of factors, or in bins of those that have too many or none."""

from __future__ import annotations

import numpy as np

from unweave.datasets import Factor, FactorDataset

__all__ = ["factor_ends", "factors_by_level"]

_MOST_FACTORS = 16
_MOST_LEVELS = 100
_BINS = 20


def factors_by_level(
    codes: np.ndarray, dataset: FactorDataset, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """Mean and deviation of codes (rows, latents) at each level of the first 16 scored factors.

    Nothing where no factor can be shown. A row whose value of a factor is unknown is left out for
    this factor.

    Returns
    -------
    dict
        As :func:`~unweave.studies.pictures.pictures` describes it.
    """
    factors = dataset.factors(rows)
    shown = []
    for column, factor in zip(factors.T, dataset.scored, strict=True):
        levels, size, ends = _levels(column, factor)
        if size:
            shown.append((factor.name, levels, size, ends))
    shown = shown[:_MOST_FACTORS]
    if not shown:
        return {}
    names, columns, sizes, ends = zip(*shown, strict=True)
    parts = [_by_level(codes, levels, size) for levels, size in zip(columns, sizes, strict=True)]
    return {
        "means": np.concatenate([means for means, _ in parts], axis=1),
        "deviations": np.concatenate([deviations for _, deviations in parts], axis=1),
        "factor_names": np.array(names),
        "factor_sizes": np.array(sizes),
        "factor_ends": np.array(ends),
    }


def factor_ends(factor: Factor) -> tuple[str, str]:
    """Words of the first and the last level; empty where levels have no words."""
    return (factor.labels[0], factor.labels[-1]) if factor.labels else ("", "")


def _levels(column: np.ndarray, factor: Factor) -> tuple[np.ndarray, int, tuple[str, str]]:
    """Level of each row, -1 where unknown; how many levels; words for the first and the last."""
    known = np.isfinite(column)
    if factor.has_levels and factor.size <= _MOST_LEVELS:
        return np.where(known, column, -1).astype(np.int64), factor.size, factor_ends(factor)
    if factor.kind == "categorical" or not known.any():
        return column, 0, ("", "")
    values = (
        np.array(factor.values)[column[known].astype(int)] if factor.has_levels else column[known]
    )
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)))
    levels = np.full(len(column), -1)
    levels[known] = np.searchsorted(edges[1:-1], values, side="right")
    return levels, max(1, len(edges) - 1), (f"{edges[0]:.3g}", f"{edges[-1]:.3g}")


def _by_level(codes: np.ndarray, levels: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (latents, levels) of codes; nan at no rows."""
    known = levels >= 0
    membership = np.zeros((int(known.sum()), size))
    np.put_along_axis(membership, levels[known, None], 1, axis=1)
    counts = membership.sum(axis=0)
    counts[counts == 0] = np.nan
    own = codes[known].T.astype(np.float64)
    means = own @ membership / counts
    squares = own**2 @ membership / counts
    return means, np.sqrt(np.maximum(squares - means**2, 0))
