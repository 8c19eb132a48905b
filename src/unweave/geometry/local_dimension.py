"""The dimension of a manifold by the directions in which its neighbourhoods spread."""

from __future__ import annotations

import numpy as np

from unweave.geometry.graph import nearest_to
from unweave.geometry.tangent import pca_tangents, quadratic_neighbourhood, quadratic_tangents

__all__ = ["LocalSpread", "curved_dimension", "grid_dimension", "withstands"]

_SAMPLE = 200  # neighbourhoods: their median is exact to a few per cent
_SAMPLED_DIMS = 10  # beyond, neighbourhoods are too expensive for so many of them
_LEAST_SAMPLE = 30
_MOST_DIMS = 24  # beyond, a fit takes more than 600 neighbours
_NEIGHBOURS = 24  # fewer see a grid of unequal steps as curves
_LEAST_NEIGHBOURS = 8  # that a curve is fitted to
_WIDE, _WIDEST = 2, 4  # times as many neighbours
_PART = 6  # of the points is too large for a neighbourhood
_SPREAD = 0.4  # directions of a manifold have 0.44 to 0.8 of the mean variance along it
_PRESENT = 0.2  # the least, in neighbourhoods that are too few or too wide
_DROP = 0.5  # from one direction to the next: less is not clear
_FLAT = 0.05  # too little for another dimension
_SHARP = 0.5  # of a last dimension of a grid
_CRISP = 10.0  # from one direction to the next
_EXACT = 1e3  # the same of points in a hyperplane, or rounded
_DEEP = 1 / 3
_STAYS = 1.3  # from a neighbourhood to a wider one


class LocalSpread:
    """Variance of neighbourhoods beside tangent spaces of a given number of dimensions.

    At 1 it is as large as along the tangent space, and the manifold has another dimension; near 0
    there is only noise or curvature beside it. All measures are medians over 200 points (fewer
    beyond ten dimensions), and nan where the points are too few for a neighbourhood.

    Parameters
    ----------
    points
        Distinct points (n, ambient) in an order of space, so that every m-th is an even sample.
    is_grid
        Whether their steps may differ from one direction to another.
    """

    def __init__(self, points: np.ndarray, *, is_grid: bool = False) -> None:
        self.points, self.ambient, self.is_grid = points, points.shape[1], is_grid
        self._near = np.empty((0, 0), dtype=np.int64)
        self._found: dict[tuple[int, bool, int], float] = {}

    def flat(self, n_dims: int, *, width: int = 1) -> float:
        """Beside the hyperplane of ``n_dims`` that fits best: curvature counts as spread.

        ``width`` neighbourhoods of the usual size are taken as one.
        """
        return self._measured(n_dims, False, width)

    def curved(self, n_dims: int, *, width: int = 1) -> float:
        """What a quadratic function of the tangent coordinates does not explain beside them."""
        return self._measured(n_dims, True, width)

    def _measured(self, k: int, curved: bool, width: int) -> float:
        if k == 0:
            return 1.0
        if k >= self.ambient:
            return 0.0
        kind = (k, curved, width)
        if kind not in self._found:
            self._found[kind] = self._measure(*kind)
        return self._found[kind]

    def _size(self, k: int, curved: bool, width: int) -> int:
        """Points in a neighbourhood: few in all are not to be taken for one neighbourhood."""
        n = len(self.points)
        least = max(quadratic_neighbourhood(k), _LEAST_NEIGHBOURS) if curved else 3 * k
        narrow = max(least, min(_NEIGHBOURS, n // _PART))
        return max(narrow, min(width * narrow, n // 4))

    def _measure(self, k: int, curved: bool, width: int) -> float:
        n_near = self._size(k, curved, width)
        if 3 * n_near > len(self.points) or k > _MOST_DIMS:
            return np.nan
        rows = self._rows(k)
        near = self._neighbours(rows, n_near)
        # The very nearest points of a grid of unequal steps are a line of it, whose curvature would
        # be taken for a direction, and from there a fit does not come back.
        start = near[:, : 3 * k] if curved and not self.is_grid else near
        bases = pca_tangents(self.points, start, k, rows=rows)
        if curved:
            bases = quadratic_tangents(self.points, near, bases, rows=rows)
        away = self.points[near] - self.points[rows, None]  # (rows, neighbours, ambient)
        along = away @ bases
        beside = away - along @ bases.transpose(0, 2, 1)
        left = _largest(*_unexplained(along, beside)) if curved else _largest(beside, n_near)
        return float(np.median(left / np.maximum((along**2).mean(axis=(1, 2)), 1e-300)))

    def _rows(self, k: int) -> np.ndarray:
        # The cost of a fit grows with the sixth power of the dimension.
        cheaper = (_SAMPLED_DIMS / max(k, _SAMPLED_DIMS)) ** 6
        n = max(int(_SAMPLE * cheaper), _LEAST_SAMPLE)
        return np.unique(np.linspace(0, len(self.points) - 1, n).astype(np.int64))

    def _neighbours(self, rows: np.ndarray, n: int) -> np.ndarray:
        if len(self._near) != len(rows) or self._near.shape[1] < n:
            self._near = nearest_to(self.points, rows, n)
        return self._near[:, :n]


def _unexplained(along: np.ndarray, beside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a quadratic function of ``along`` leaves of ``beside``, and degrees of freedom (rows,).

    Terms that are functions of others, as on a grid, are left out, and cost no freedom.
    """
    a, b = np.triu_indices(along.shape[2])
    terms = np.concatenate([along, along[:, :, a] * along[:, :, b]], axis=2)
    terms = terms / np.maximum(np.sqrt((terms**2).sum(axis=1, keepdims=True)), 1e-300)
    values, vectors = np.linalg.eigh(terms.transpose(0, 2, 1) @ terms)
    kept = values > 1e-9 * values[:, -1:]
    scale = np.where(kept, 1 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
    fitted = terms @ (vectors * scale[:, None, :])  # (rows, neighbours, terms), orthonormal
    left = beside - fitted @ (fitted.transpose(0, 2, 1) @ beside)
    return left, np.maximum(along.shape[1] - kept.sum(axis=1), 1)


def _largest(left: np.ndarray, freedom: np.ndarray | int) -> np.ndarray:
    """Variance (rows,) along the direction in which ``left`` has most of it."""
    across = left.transpose(0, 2, 1)
    square = left @ across if left.shape[1] < left.shape[2] else across @ left  # the smaller one
    return np.linalg.eigvalsh(square)[:, -1] / freedom


def curved_dimension(spread: LocalSpread, start: int) -> int | None:
    """Dimension of a manifold of which points are a random sample; None where it is not clear.

    Looked for up and down from ``start``: each direction of the manifold spreads, and what lies
    beside them does not.
    """
    k = start
    while spread.curved(k) >= _SPREAD:
        k += 1
    while k > 1 and spread.curved(k - 1) < _SPREAD:
        k -= 1
    return k if spread.curved(k) <= _DROP * spread.curved(k - 1) else None


def withstands(spread: LocalSpread, n_dims: int) -> bool:
    """Whether ``n_dims`` is right although distances to neighbours say otherwise.

    On grids of few levels quadratic functions of some directions explain others, the better the
    fewer points there are. Noise leaves a deep drop, which is as deep in wider neighbourhoods.
    """
    last, narrow = spread.curved(n_dims - 1), spread.curved(n_dims)
    return narrow <= _DEEP * last and _stays(spread, n_dims)


def _stays(spread: LocalSpread, k: int) -> bool:
    return spread.curved(k, width=_WIDE) <= max(_FLAT, _STAYS * spread.curved(k))


def grid_dimension(spread: LocalSpread) -> int | None:
    """Dimension of a manifold of which points are a grid; None where it is not clear.

    Where neighbourhoods lie in hyperplanes, these count, and wider neighbourhoods must have as many
    dimensions: a grid of unequal steps has other directions in these. Otherwise quadratic
    functions have to explain all that lies beside, and most of it in the widest neighbourhoods.
    """
    narrow, wide = (_flat_dimension(spread, width) for width in (1, _WIDEST))
    if narrow and narrow == wide:
        return narrow if _is_flat(spread, narrow) else None
    k = curved_dimension(spread, 1)
    if k is None or (narrow and wide and k != narrow):
        return None
    sharp = spread.curved(k) <= _FLAT and spread.curved(k - 1) >= _SHARP
    stays = _stays(spread, k) and spread.curved(k, width=_WIDEST) < _SPREAD
    return k if sharp and stays else None


def _is_flat(spread: LocalSpread, k: int) -> bool:
    """Whether the last of ``k`` directions is of the manifold, and not curvature of a grid's lines.

    Quadratic functions explain the latter, and that of points that lie in hyperplanes by chance.
    """
    if spread.flat(k) * _EXACT <= spread.flat(k - 1):
        return True
    return all(spread.curved(k - 1, width=width) >= _PRESENT for width in (1, _WIDE))


def _flat_dimension(spread: LocalSpread, width: int) -> int | None:
    k = 1
    while spread.flat(k, width=width) > _FLAT:
        k += 1
    left, last = spread.flat(k, width=width), spread.flat(k - 1, width=width)
    # In as many dimensions as there are nothing lies beside, which proves nothing.
    least = _SPREAD if k == spread.ambient else left * _CRISP
    return k if left <= _FLAT and last >= least else None
