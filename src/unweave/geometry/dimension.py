"""The dimension of a manifold from points on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unweave.geometry._inputs import check_rows
from unweave.geometry.graph import nearest_neighbours, neighbour_graph, spatial_order
from unweave.geometry.local_dimension import (
    LocalSpread,
    curved_dimension,
    grid_dimension,
    withstands,
)
from unweave.geometry.near_duplicates import merged_rows

__all__ = ["RATIOS", "Dimension", "estimate_dimension", "intrinsic_dimension"]

RATIOS = 8  # neighbours whose distances have to agree
_KEPT = 0.9  # share of the points: the largest ratios are of outliers
_BLOCKS = 40  # stretches of space that are left out in turn
_EVEN = 2.0  # the most that dimensions by the first and by later neighbours differ by
_CHECKED = 10  # distinct points; fewer say nothing of a distribution
_MOST = 12.0  # beyond, distances alone are biased by more than one dimension
_ABSURD = 1000  # of points that are equally far from each other
_ABSENT = 0.2  # share of the variance along the others that a direction of a manifold exceeds
_PIECE_NEIGHBOURS = 24


@dataclass(frozen=True)
class Dimension:
    """An estimate of a dimension."""

    value: float
    """nan where there is none."""
    error: float
    """Standard error of ``value``; 0 where it is the whole number by the local spread."""
    whole: int
    """The whole number to use; 0 where there is none."""
    clear: bool
    """Whether the spread of neighbourhoods says that it is this number and no other."""
    problem: str = ""
    """Why it cannot be estimated."""

    def contradicts(self, n_dims: int) -> bool:
        """Whether points on a manifold of ``n_dims`` dimensions would not look like this."""
        if self.problem:
            return False
        if self.clear:
            return n_dims != self.whole
        return abs(self.value - n_dims) > 0.5 + 0.05 * n_dims + 3 * self.error


def intrinsic_dimension(
    points: np.ndarray, neighbours: np.ndarray | None = None
) -> tuple[float, float]:
    """Dimension of the manifold that points (n, features) lie on, and its standard error.

    TwoNN's estimate: the ratio of the distances to the second and to the first neighbour has a
    distribution that depends on the dimension alone where the density is locally even (Facco et al.
    2017, https://doi.org/10.1038/s41598-017-11873-y). Its standard error is a jackknife's over
    40 stretches of space.

    On grids, and for steps that are equal or nearly so, that ratio says nothing. Where later
    neighbours contradict the first, or the directions in which neighbourhoods spread (after a
    local quadratic fit) are another number, that number is returned, with a standard error of 0.

    Parameters
    ----------
    points
        In any order without ``neighbours``; rows that are repeated, exactly or within 1e-8 of the
        points' spread, then count once. With ``neighbours``, distinct points.
    neighbours
        Indices (n, 2 or more) of the nearest points, which saves looking for them; points are then
        in an order in which near ones are close, as of a k-d tree.

    Raises
    ------
    ValueError
        If points cannot be used (not two-dimensional numbers, masked, missing or infinite values),
        or the dimension cannot be estimated: fewer than ten distinct points, or neighbourhoods
        contradict each other or are too wide.
    """
    points = check_rows(points, "points")
    if neighbours is None:
        points = points[merged_rows(points)[0]]
        points = points[spatial_order(points)]
    found = estimate_dimension(points, neighbours)
    if found.problem:
        raise ValueError(found.problem)
    return found.value, found.error


def estimate_dimension(points: np.ndarray, neighbours: np.ndarray | None = None) -> Dimension:
    """The same of distinct points in an order of space, with what speaks for it."""
    if len(points) < _CHECKED:
        return _failed(
            f"the dimension cannot be estimated: {len(points)} distinct point(s) are too few; give "
            f"{_CHECKED} or more, or n_dims if you know it"
        )
    if neighbours is None:
        neighbours = nearest_neighbours(points, min(RATIOS, len(points) - 1))
    near = neighbours[:, :RATIOS]
    distances = np.stack(
        [np.linalg.norm(points[near[:, j]] - points, axis=1) for j in range(near.shape[1])], axis=1
    )
    distances = distances[distances[:, 0] > 0]  # the square of a tiny difference may be 0
    if not _agree(distances):
        return _of_grid(points)
    spread = LocalSpread(points)
    value, error = _two_nearest(distances)
    start = int(np.clip(np.rint(value), 1, points.shape[1]))
    whole = curved_dimension(spread, start)
    if whole is None:
        return _unchecked(value, error, start, len(points), spread)
    if whole == np.rint(value):
        return Dimension(value, error, whole, True)
    if whole < value and not withstands(spread, whole):
        return _contradiction(value, whole)
    return Dimension(float(whole), 0.0, whole, True)


def _unchecked(value: float, error: float, whole: int, n: int, spread: LocalSpread) -> Dimension:
    """TwoNN's estimate where neighbourhoods do not show a clear number."""
    if value > _MOST:
        seen = f"about {value:.0f}" if value <= _ABSURD else f"more than {_ABSURD:,}"
        return _failed(
            "the dimension cannot be estimated: neighbours look like those of a manifold of "
            f"{seen} dimensions, and {n} points are too few to check it; give n_dims if you know "
            "it, more points, or fewer features"
        )
    if spread.curved(whole - 1) < _ABSENT:
        return _contradiction(value, whole - 1)
    return Dimension(min(value, float(spread.ambient)), error, whole, False)


def _contradiction(value: float, spreads: int) -> Dimension:
    return _failed(
        f"the dimension cannot be estimated: distances to neighbours look like those of a manifold "
        f"of {value:.1f} dimensions, and neighbourhoods spread in {spreads} directions at most; "
        "give n_dims if you know it, or more points"
    )


def _agree(distances: np.ndarray) -> bool:
    """Whether distances (n, neighbours) are like those of a random sample of a manifold.

    In any dimension, k times the logarithm of the ratio of the distances to neighbours k + 1 and k
    has the same distribution for every k. On a grid the first few are equal, and then they jump.
    """
    n = len(distances)
    if not n:
        return False
    distances = distances[:, : max(3, n // 20)]  # of few points, later neighbours are far away
    k = np.arange(1, distances.shape[1])
    means = (k * np.log(distances[:, 1:] / distances[:, :-1])).mean(axis=0)
    allowed = _EVEN * (1 + 3 / np.sqrt(n))
    return bool(0 < means.max() <= allowed * means.min())


def _two_nearest(distances: np.ndarray) -> tuple[float, float]:
    """TwoNN's estimate, and its standard error by leaving out one stretch of space after another.

    Points share neighbours, so that an error from their number alone would be too small.
    """
    ratios = np.log(distances[:, 1] / distances[:, 0])
    order = np.argsort(ratios)
    n_blocks = min(_BLOCKS, len(ratios))
    block = (np.arange(len(ratios)) * n_blocks // len(ratios))[order]
    ratios = ratios[order]
    without = np.array([_slope(ratios[block != b]) for b in range(n_blocks)])
    error = np.sqrt((n_blocks - 1) * without.var())
    return _slope(ratios), float(error)


def _slope(ratios: np.ndarray) -> float:
    """Slope of the line through the origin that fits the smaller 90 % of sorted ratios."""
    n = len(ratios)
    kept = int(_KEPT * n)
    expected = -np.log1p(-np.arange(1, kept + 1) / n)
    x = ratios[:kept]
    return float(x @ expected / max(x @ x, 1e-300))


def _of_grid(points: np.ndarray) -> Dimension:
    """From the spread of neighbourhoods alone, where distances to neighbours say nothing."""
    whole = grid_dimension(LocalSpread(points, is_grid=True))
    if whole is None:
        return _failed(
            "the dimension cannot be estimated: distances to neighbours are not those of a random "
            "sample (as on a grid), and neighbourhoods do not spread in a clear number of "
            "directions; give n_dims if you know it"
        )
    near = nearest_neighbours(points, min(_PIECE_NEIGHBOURS, len(points) - 1))
    n_pieces = len(neighbour_graph(near).parts())
    if n_pieces > 1:
        return _failed(
            f"the dimension cannot be estimated: the points fall into {n_pieces} pieces that look "
            f"like {whole} dimension(s) each, as those of a grid whose steps differ much; bring "
            "the features to one scale, take the pieces one by one, or give n_dims"
        )
    return Dimension(float(whole), 0.0, whole, True)


def _failed(problem: str) -> Dimension:
    return Dimension(np.nan, np.nan, 0, False, problem)
