"""Rows that are the same point within rounding."""

from __future__ import annotations

import numpy as np

from unweave.geometry.graph import distinct_rows

__all__ = ["merged_rows"]

_SAME = 1e-8  # of the spread: rows that differ by less are one point


def merged_rows(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows to keep so that none is repeated within rounding, and for each row its place in these.

    Points nearer to each other than 1e-8 of their spread, or than four times the resolution of
    their numbers, count once: the first of them. Where there are none, these are the distinct rows.
    """
    kept, places = distinct_rows(points)
    apart = points[kept] - points[kept].mean(axis=0)
    spread = np.sqrt(np.mean(np.sum(apart**2, axis=1)))
    resolution = np.finfo(np.float64).eps * np.abs(points).max()
    group = _chained(apart, max(_SAME * spread, 4 * resolution))
    _, first, member = np.unique(group, return_index=True, return_inverse=True)
    if len(first) == len(kept):
        return kept, places
    # Of each group the row that comes first in the data, in the order of the distinct rows.
    earliest = np.full(len(first), len(points))
    np.minimum.at(earliest, member, kept)
    order = np.argsort(first)
    return earliest[order], np.argsort(order)[member][places]


def _chained(points: np.ndarray, tolerance: float) -> np.ndarray:
    """Groups (n,) of points that no gap wider than the tolerance parts in any coordinate."""
    n, ambient = points.shape
    # First along a direction in which few points coincide, so that few are left to be compared.
    generic = np.sqrt(np.arange(2.0, ambient + 2.0)) % 1 - 0.5
    group = _parted(
        np.zeros(n, dtype=np.int64), points @ (generic / np.linalg.norm(generic)), tolerance
    )
    left = _wide(group, points, tolerance)
    for column in [*range(ambient), *range(ambient)]:
        if not len(left):
            break
        group[left] = (
            len(points) + group.max() + _parted(group[left], points[left, column], tolerance)
        )
        left = left[_wide(group[left], points[left], tolerance)]
    return group


def _parted(group: np.ndarray, values: np.ndarray, tolerance: float) -> np.ndarray:
    """Groups (n,) parted further where sorted values have a gap."""
    order = np.lexsort((values, group))
    gaps = (np.diff(group[order]) != 0) | (np.diff(values[order]) > tolerance)
    found = np.empty(len(order), dtype=np.int64)
    found[order] = np.concatenate([[0], np.cumsum(gaps)])
    return found


def _wide(group: np.ndarray, points: np.ndarray, tolerance: float) -> np.ndarray:
    """Rows in groups that extend further than the tolerance in a coordinate."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.diff(starts, append=len(group))
    many = np.repeat(sizes > 1, sizes)
    if not many.any():
        return np.zeros(0, dtype=np.int64)
    rows, sizes = order[many], sizes[sizes > 1]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    extent = np.maximum.reduceat(points[rows], starts) - np.minimum.reduceat(points[rows], starts)
    return rows[np.repeat((extent > tolerance).any(axis=1), sizes)]
