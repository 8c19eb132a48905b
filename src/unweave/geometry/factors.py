"""From parallel tensors to factors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unweave.geometry.cluster import assign_axes
from unweave.geometry.diagonalise import commuting_complement, jointly_diagonalise
from unweave.geometry.eigen import Spectrum

__all__ = ["Split", "merged", "one_factor", "split_tensors"]

_NO_GAP = 0.65  # of the eigenvalue below the gap to that above it: good runs had up to 0.5
_FLAT = 0.05  # of the tensors' energy off the diagonal: parallel tensors that do not commute


@dataclass(frozen=True)
class Split:
    """Axes in the frame of each point, and the factor of each."""

    axes: np.ndarray
    """(n, k, k), axes in columns."""
    labels: np.ndarray
    """(n, k)"""
    dims: np.ndarray
    """(factors,), ascending."""
    eigenvalues: np.ndarray
    gap: float
    confidence: float
    """One less the ratio of the eigenvalue below the gap to that above it."""


def split_tensors(
    fields: np.ndarray, spectrum: Spectrum, rng: np.random.Generator, *, may_be_one: bool
) -> Split:
    """Factors from fields of tensors (n, m, k, k): those below the gap, made diagonal together."""
    n, _, k, _ = fields.shape
    values, below = np.maximum(spectrum.values, 0.0), spectrum.n_below_gap
    if below == 0:
        return one_factor(n, k, values, 0.0)
    ratio = values[below - 1] / max(values[below], 1e-300)
    if may_be_one and ratio > _NO_GAP:
        warnings.warn(
            f"no gap in the spectrum (an eigenvalue of {values[0]:.3g} where a product has 0, and "
            f"then {values[1]:.3g}): this is one factor, or there are too few points",
            stacklevel=4,
        )
        return one_factor(n, k, values, 1 - ratio)
    axes, labels, dims = _axes(fields[:, :below], rng)
    gap = float(values[below] - values[below - 1])
    return Split(axes, labels, dims, values, gap, float(np.clip(1 - ratio, 0, 1)))


def one_factor(n: int, k: int, eigenvalues: np.ndarray, confidence: float) -> Split:
    """Nothing to split: one block of all dimensions."""
    axes, labels = np.tile(np.eye(k), (n, 1, 1)), np.zeros((n, k), dtype=np.int64)
    return Split(axes, labels, np.array([k]), eigenvalues, 0.0, float(confidence))


def merged(rows: Sequence[np.ndarray], splits: Sequence[Split]) -> Split:
    """One split of all points from those of parts, whose rows are given.

    Spectrum, gap and confidence are those of the part of the least confidence. If parts have
    factors of other dimensions there are none that all points share, and all is one factor.
    """
    n, k = sum(map(len, rows)), splits[0].axes.shape[1]
    least = min(splits, key=lambda split: split.confidence)
    if len({tuple(split.dims) for split in splits}) > 1:
        found = sorted({"+".join(map(str, split.dims)) for split in splits})
        warnings.warn(
            f"parts that no edge joins have factors of dimensions {' and '.join(found)}: all are "
            "given as one factor",
            stacklevel=4,
        )
        return one_factor(n, k, least.eigenvalues, 0.0)
    axes, labels = np.empty((n, k, k)), np.empty((n, k), dtype=np.int64)
    for own, split in zip(rows, splits, strict=True):
        axes[own], labels[own] = split.axes, split.labels
    return Split(axes, labels, least.dims, least.eigenvalues, least.gap, least.confidence)


def _axes(tensors: np.ndarray, rng: np.random.Generator):
    """Axes (n, k, k) of the factors, the factor of each (n, k), and the factors' dimensions."""
    n_factors = tensors.shape[1] + 1
    rotations, diagonals, beyond = jointly_diagonalise(tensors)
    if beyond.mean() > _FLAT:
        flat, rest = commuting_complement(tensors)
        n_flat = flat.shape[2]
        n_curved = n_factors - n_flat * (n_flat + 1) // 2
        if n_flat > 1 and n_curved >= 0 and (n_curved > 0) == (rest.shape[2] > 0):
            return _with_flat_block(tensors, flat, rest, n_curved, rng)
        warnings.warn(
            f"{beyond.mean():.0%} of the tensors' energy cannot be made diagonal together: too few "
            "points, or a wrong n_dims",
            stacklevel=6,
        )
    return rotations, *assign_axes(diagonals, n_factors, rng)


def _with_flat_block(tensors, flat, rest, n_curved: int, rng):
    """The same where tensors do not commute on ``flat`` (n, k, f), which is one factor."""
    n, _, n_flat = flat.shape
    if not rest.shape[2]:
        return flat, np.zeros((n, n_flat), dtype=np.int64), np.array([n_flat])
    labels, dims = np.zeros((n, rest.shape[2]), dtype=np.int64), np.array([rest.shape[2]])
    if n_curved > 1:
        inner = np.einsum("nap,nmab,nbq->nmpq", rest, tensors, rest, optimize=True)
        rotations, diagonals, _ = jointly_diagonalise(inner)
        rest = rest @ rotations
        labels, dims = assign_axes(diagonals, n_curved, rng)
    labels = np.concatenate([labels, np.full((n, n_flat), len(dims))], axis=1)
    dims = np.append(dims, n_flat)
    order = np.argsort(dims, kind="stable")
    return np.concatenate([rest, flat], axis=2), np.argsort(order)[labels], dims[order]
