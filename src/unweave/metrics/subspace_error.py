"""How far found subspaces are from true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unweave._parallel import n_cores
from unweave._tables import plain

__all__ = ["SubspaceError", "subspace_error", "unaligned_subspace_error"]


@dataclass(frozen=True)
class SubspaceError:
    """Angles in radians between found and true subspaces; 0 is right."""

    per_point: np.ndarray
    """(samples,) mean over the factors of the largest principal angle."""
    chance_mean: float
    """What random subspaces of the same dimensions, within the same tangent space, give."""
    dims_match: bool
    """Whether the found dimensions are the true ones; if not, all angles are pi / 2."""

    @property
    def mean(self) -> float:
        """Over the points."""
        return float(self.per_point.mean())

    @property
    def median(self) -> float:
        """Over the points."""
        return float(np.median(self.per_point))


def subspace_error(
    found: Sequence[np.ndarray], true: Sequence[np.ndarray], *, seed: int = 0
) -> SubspaceError:
    """Mean largest principal angle between found and true subspaces, best matched at each point.

    Parameters
    ----------
    found, true
        For each factor orthonormal bases (samples, features, dims); any order.
    seed
        Seed of the random subspaces that chance is measured with.

    Raises
    ------
    ValueError
        If the bases are of other points or features.

    References
    ----------
    Pfau et al. (2020), https://arxiv.org/abs/2006.12982, section 5.

    >>> basis = np.eye(3)[None].repeat(2, axis=0)
    >>> first, second = basis[:, :, :1], basis[:, :, 1:]
    >>> subspace_error([second, first], [first, second]).mean
    0.0
    """
    found, true = _arrays(found, "found bases"), _arrays(true, "true bases")
    shapes = {basis.shape[:2] for basis in (*found, *true)}
    if len(shapes) != 1:
        raise ValueError(f"bases must be of the same samples and features, not {sorted(shapes)}")
    n, _ = shapes.pop()
    dims = [basis.shape[2] for basis in true]
    rng = np.random.default_rng(seed)
    chance = _angles(_random_split(true, min(n, 500), rng), [b[:500] for b in true])
    if sorted(basis.shape[2] for basis in found) != sorted(dims):
        return SubspaceError(np.full(n, np.pi / 2), float(chance.mean()), False)
    return SubspaceError(_angles(found, true), float(chance.mean()), True)


def unaligned_subspace_error(
    found: Sequence[np.ndarray],
    points: np.ndarray,
    true: Sequence[np.ndarray],
    true_points: np.ndarray,
    *,
    n_neighbors: int | None = None,
    seed: int = 0,
) -> SubspaceError:
    """The same where found and true subspaces lie in spaces of different coordinates.

    As subspaces found in images or codes, when the truth is known on the manifold that these were
    made from. At each point the displacements to the neighbours, in tangent coordinates of both
    spaces, are turned into one frame by their canonical correlations.

    Parameters
    ----------
    found, points
        Bases (samples, features, dims) for each factor, in the space of points (samples, features).
    true, true_points
        The same on the manifold, for the same samples, in coordinates of its own.
    n_neighbors
        Nearest true points that are used; None for twice the dimensions, and ten at least.
    seed
        Seed of the random subspaces that chance is measured with.

    Raises
    ------
    ValueError
        If the samples differ, or are fewer than the neighbours or these fewer than the dimensions.

    References
    ----------
    Pfau et al. (2020), https://arxiv.org/abs/2006.12982, section 5.
    """
    from scipy.spatial import cKDTree

    found, true = _arrays(found, "found bases"), _arrays(true, "true bases")
    points, true_points = _arrays((points, true_points), "points")
    own, truth = (np.concatenate(bases, axis=2) for bases in (found, true))  # (n, features, k)
    n, k = len(own), truth.shape[2]
    n_near = max(2 * k, 10) if n_neighbors is None else n_neighbors
    if not k <= n_near < n or {n} != {len(points), len(truth), len(true_points)}:
        raise ValueError(
            f"{n} found and {len(truth)} true bases, {len(points)} and {len(true_points)} points, "
            f"{n_near} neighbours: samples must be the same, and more than the neighbours, and "
            f"these at least the {k} dimensions"
        )
    near = cKDTree(true_points).query(true_points, k=n_near + 1, workers=n_cores())[1][:, 1:]
    here, there = (
        (x[near] - x[:, None]) @ basis for x, basis in ((points, own), (true_points, truth))
    )
    cross = _whitening(there) @ (there.transpose(0, 2, 1) @ here) @ _whitening(here)
    left, _, right = np.linalg.svd(cross, full_matrices=False)
    cuts = [np.cumsum([basis.shape[2] for basis in bases])[:-1] for bases in (found, true)]
    turned = np.split(right, cuts[0], axis=2)
    turned_true = np.split(left.transpose(0, 2, 1), cuts[1], axis=2)
    return subspace_error(turned, turned_true, seed=seed)


def _arrays(parts: Sequence[object], what: str) -> list[np.ndarray]:
    return [np.asarray(plain(part, what)) for part in parts]


def _whitening(rows: np.ndarray) -> np.ndarray:
    """Inverse square roots of the second moments of rows (n, m, k)."""
    values, vectors = np.linalg.eigh(rows.transpose(0, 2, 1) @ rows)
    scale = 1 / np.sqrt(np.maximum(values, 1e-12 * values[:, -1:]))
    return vectors * scale[:, None, :] @ vectors.transpose(0, 2, 1)


def _angles(found: Sequence[np.ndarray], true: Sequence[np.ndarray]) -> np.ndarray:
    """Mean largest angle (samples,), each point with its best matching of equal dimensions."""
    from scipy.optimize import linear_sum_assignment

    n, n_factors = len(found[0]), len(true)
    angles = np.full((n, n_factors, n_factors), np.pi)
    for a, first in enumerate(found):
        for b, second in enumerate(true):
            if first.shape[2] == second.shape[2]:
                angles[:, a, b] = _largest_angle(first, second)
    # Where the nearest true subspaces of all found ones differ, they are the best matching.
    total = angles.min(axis=2).mean(axis=1)
    nearest = np.sort(angles.argmin(axis=2), axis=1)
    for i in np.flatnonzero((nearest[:, 1:] == nearest[:, :-1]).any(axis=1)):
        rows, columns = linear_sum_assignment(angles[i])
        total[i] = angles[i, rows, columns].mean()
    return total


def _largest_angle(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Largest principal angle (samples,) between two spans of equal dimensions."""
    # By its sine, which keeps small angles exact.
    beyond = second - first @ (first.transpose(0, 2, 1) @ second)
    return np.arcsin(np.clip(np.linalg.norm(beyond, ord=2, axis=(1, 2)), 0, 1))


def _random_split(true: Sequence[np.ndarray], n: int, rng: np.random.Generator):
    """Random subspaces of the same dimensions that fill the same tangent space."""
    whole = np.concatenate([basis[:n] for basis in true], axis=2)
    k = whole.shape[2]
    turned = whole @ np.linalg.qr(rng.standard_normal((n, k, k)))[0]
    return np.split(turned, np.cumsum([basis.shape[2] for basis in true])[:-1], axis=2)
