"""From parallel tensors to factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from unweave.geometry._block import BLOCK
from unweave.geometry.cluster import assign_axes
from unweave.geometry.diagonalise import commuting_complement, jointly_diagonalise
from unweave.geometry.eigen import Spectrum, is_zero

__all__ = ["Remark", "Split", "filled_space", "merged", "one_factor", "split_tensors"]

_NO_GAP = 0.65  # of the eigenvalue below the gap to that above it
_WEAK_GAP = 0.45  # errors of less than 0.2 radians come with less, most with less than 0.1
_FLAT = 0.05  # of the tensors' energy off the diagonal: parallel tensors that do not commute


@dataclass(frozen=True)
class Remark:
    """What a user should know about a split."""

    kind: str
    """In few words, as said of one part among several."""
    text: str
    category: type[Warning] = UserWarning


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
    """One minus the ratio of the eigenvalue below the gap to that above it."""
    n_flat: int = 0
    """Dimensions of a flat factor of more than one, which may be a product itself."""
    remarks: tuple[Remark, ...] = ()


def split_tensors(
    fields: np.ndarray, spectrum: Spectrum, rng: np.random.Generator, *, may_be_one: bool
) -> Split:
    """Factors from fields of tensors (n, m, k, k): those below the gap, made diagonal together."""
    n, _, k, _ = fields.shape
    values, below = np.maximum(spectrum.values, 0.0), spectrum.n_below_gap
    remarks = () if spectrum.converged else (_NOT_CONVERGED,)
    if below == 0:
        return one_factor(n, k, values, 0.0, remarks=remarks)
    if is_zero(values, spectrum.top):  # more parallel tensors than curved factors could have
        return one_factor(n, k, values, 0.0, n_flat=k, remarks=(*remarks, _flat_block(k, k)))
    ratio = values[below - 1] / max(values[below], 1e-300)
    if may_be_one and ratio > _NO_GAP:
        return one_factor(n, k, values, 1 - ratio, remarks=(*remarks, _no_gap(values)))
    if may_be_one and ratio > _WEAK_GAP:
        remarks = (*remarks, _weak_gap(1 - ratio))
    axes, labels, dims, n_flat, more = _axes(fields[:, :below], rng)
    gap, confidence = float(values[below] - values[below - 1]), float(np.clip(1 - ratio, 0, 1))
    if n_flat == k:
        confidence = 0.0  # that there is one factor and no more
    return Split(axes, labels, dims, values, gap, confidence, n_flat, (*remarks, *more))


_NOT_CONVERGED = Remark(
    "eigenvectors that did not converge",
    "eigenvectors had not converged in the rounds allowed: the spectrum has no clear gap, as for "
    "noisy or too few points, or for a wrong n_dims",
    ConvergenceWarning,
)


def _no_gap(values: np.ndarray) -> Remark:
    return Remark(
        "no gap in the spectrum",
        f"no gap in the spectrum (eigenvalues {values[0]:.3g}, {values[1]:.3g}, ..., where "
        "a product begins with 0): no factors found; this is one factor, or there are too few "
        "points",
    )


def _weak_gap(confidence: float) -> Remark:
    return Remark(
        "a weak gap in the spectrum",
        f"no gap in the spectrum is clear (confidence {confidence:.2f}): the factors may be wrong, "
        "as for noisy or too few points, or for factors that are not orthogonal",
    )


def _flat_block(n_flat: int, k: int) -> Remark:
    which = "all" if n_flat == k else f"{n_flat} of the"
    return Remark(
        f"a flat block of {n_flat} dimensions",
        f"{which} {k} dimensions are flat: flat factors, as circles, cannot be separated, since "
        "parallel transport does not turn their directions; they are given as one factor of "
        f"{n_flat} dimensions",
    )


def one_factor(
    n: int,
    k: int,
    eigenvalues: np.ndarray,
    confidence: float,
    *,
    n_flat: int = 0,
    remarks: tuple[Remark, ...] = (),
) -> Split:
    """Nothing to split: one block of all dimensions."""
    axes, labels = np.tile(np.eye(k), (n, 1, 1)), np.zeros((n, k), dtype=np.int64)
    return Split(axes, labels, np.array([k]), eigenvalues, 0.0, float(confidence), n_flat, remarks)


def filled_space(n: int, k: int) -> Split:
    """One flat factor, of points that have as many dimensions as the space that holds them."""
    remark = Remark(
        "points that fill the space",
        f"no gap in the spectrum: the points fill all {k} dimensions of the space around them, "
        "which is flat; no factors found, since flat factors cannot be separated",
    )
    return one_factor(n, k, np.zeros(BLOCK), 0.0, n_flat=k, remarks=(remark,))


def merged(rows: Sequence[np.ndarray], splits: Sequence[Split]) -> Split:
    """One split of all points from those of parts, whose rows are given.

    Spectrum, gap and confidence are those of the part of the least confidence. If parts have
    factors of other dimensions there are none that all points share, and all is one factor.
    What is to be said of several parts is one remark.
    """
    if len(splits) == 1:
        return splits[0]
    n, k = sum(map(len, rows)), splits[0].axes.shape[1]
    least = min(splits, key=lambda split: split.confidence)
    sizes = sorted(map(len, rows), reverse=True)
    said = [
        f"the neighbour graph falls into {len(splits)} parts, the largest of {sizes[:5]} points: "
        "each is split by itself; fit them apart, or raise n_neighbors"
    ]
    kinds = [remark.kind for split in splits for remark in split.remarks]
    said += [f"parts with {kind}: {kinds.count(kind)}" for kind in dict.fromkeys(kinds)]
    same = len({tuple(split.dims) for split in splits}) == 1
    if not same:
        found = sorted({"+".join(map(str, split.dims)) for split in splits})
        said.append(
            f"parts have factors of dimensions {' and '.join(found)}: all are given as one factor"
        )
    remarks = (Remark("parts", "; ".join(said)),)
    if not same:
        return one_factor(n, k, least.eigenvalues, 0.0, remarks=remarks)
    axes, labels = np.empty((n, k, k)), np.empty((n, k), dtype=np.int64)
    for own, split in zip(rows, splits, strict=True):
        axes[own], labels[own] = split.axes, split.labels
    return Split(
        axes,
        labels,
        least.dims,
        least.eigenvalues,
        least.gap,
        least.confidence,
        max(split.n_flat for split in splits),
        remarks,
    )


def _axes(tensors: np.ndarray, rng: np.random.Generator):
    """Axes (n, k, k), the factor of each (n, k), dims, how many are flat, and remarks."""
    n_factors, k = tensors.shape[1] + 1, tensors.shape[2]
    rotations, diagonals, beyond = jointly_diagonalise(tensors)
    remarks: tuple[Remark, ...] = ()
    if beyond.mean() > _FLAT:
        flat, rest = commuting_complement(tensors)
        n_flat = flat.shape[2]
        n_curved = n_factors - n_flat * (n_flat + 1) // 2
        if n_flat > 1 and n_curved >= 0 and (n_curved > 0) == (rest.shape[2] > 0):
            split = _with_flat_block(tensors, flat, rest, n_curved, rng)
            return *split, n_flat, (_flat_block(n_flat, k),)
        remarks = (
            Remark(
                "tensors that cannot be made diagonal together",
                f"{beyond.mean():.0%} of the tensors' energy cannot be made diagonal together: too "
                "few points, or a wrong n_dims",
            ),
        )
    return rotations, *assign_axes(diagonals, n_factors, rng), 0, remarks


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
