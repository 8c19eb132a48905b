"""Which latent stands for which feature, by the angles between their directions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from unweave.metrics.dictionary.dictionary import check_directions, check_width, unit

__all__ = ["Matching", "blocks", "match_directions", "matched", "nearest"]

_BLOCK = 1 << 24  # cosines that are in memory at once: 64 MB
_DENSE = 1 << 19  # cosines among which all pairs are tried
_CANDIDATES = 64  # partners of each direction that are tried where there are more


@dataclass(frozen=True, eq=False)
class Matching:
    """Pairs of directions, each direction in one pair at most.

    Attributes
    ----------
    latents, features
        Positions (pairs,) of the two of each pair, by ascending feature.
    cosines
        (pairs,): absolute cosine of the angle between them, in [0, 1]; or the cosine itself, in
        [-1, 1], if signs count.
    """

    latents: np.ndarray
    features: np.ndarray
    cosines: np.ndarray


def match_directions(latents: object, features: object, *, signed: bool = False) -> Matching:
    """The pairs of a latent and a feature whose cosines have the largest sum.

    There are as many pairs as the smaller set has directions. Among up to 524,288 pairs all are
    tried (the Hungarian algorithm, :func:`scipy.optimize.linear_sum_assignment`). Among more, each
    direction of the smaller set may have one of its 64 nearest partners
    (:func:`scipy.sparse.csgraph.min_weight_full_bipartite_matching`), or more where that leaves one
    without a partner. The sum is then the largest one for random directions, and the mean cosine up
    to 1e-4 below it where dozens of near copies compete for the same partners. Cosines are
    computed in blocks of 64 MB.

    Parameters
    ----------
    latents, features
        Directions (n, dimensions), of any length.
    signed
        Whether a direction and its opposite are two directions.

    Raises
    ------
    ValueError
        If the directions cannot be used, or have different dimensions.

    >>> match_directions([[0.0, -2.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]).cosines.tolist()
    [1.0, 1.0]
    """
    rows = check_directions(latents, "directions of the dictionary")
    others = check_directions(features, "features")
    check_width(rows, others.shape[1], "directions of the dictionary", "the features")
    return matched(unit(rows), unit(others), signed=signed)


def matched(latents: np.ndarray, features: np.ndarray, *, signed: bool) -> Matching:
    """The same of directions of length 1."""
    if len(latents) <= len(features):
        own, other = _assigned(latents, features, signed)
        order = np.argsort(other)
        pairs = own[order], other[order]
    else:
        other, own = _assigned(features, latents, signed)
        pairs = own, other
    cosines = np.einsum("ij,ij->i", latents[pairs[0]], features[pairs[1]])
    cosines = np.clip(cosines if signed else np.abs(cosines), -1, 1)
    return Matching(*pairs, cosines)


def nearest(rows: np.ndarray, others: np.ndarray, *, signed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Position (rows,) of the other direction with the largest cosine, and that cosine."""
    places, values = [], []
    for _, cosines in blocks(rows, others, signed):
        places.append(cosines.argmax(axis=1))
        values.append(cosines[np.arange(len(cosines)), places[-1]].astype(np.float64))
    return np.concatenate(places), np.concatenate(values)


def blocks(
    rows: np.ndarray, others: np.ndarray, signed: bool
) -> Iterator[tuple[slice, np.ndarray]]:
    """Cosines (some rows, others) of consecutive rows: float32 where there are many."""
    kind: type[np.floating[Any]] = np.float64 if len(rows) * len(others) <= _DENSE else np.float32
    columns = others.T.astype(kind)
    step = max(1, _BLOCK // len(others))
    for start in range(0, len(rows), step):
        part = slice(start, min(start + step, len(rows)))
        cosines = rows[part].astype(kind) @ columns
        yield part, cosines if signed else np.abs(cosines, out=cosines)


def _assigned(few: np.ndarray, many: np.ndarray, signed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Positions in both sets, of pairs in the order of the smaller one."""
    from scipy.optimize import linear_sum_assignment

    n_candidates = _CANDIDATES
    while len(few) * len(many) > _DENSE and n_candidates < len(many):
        found = _assigned_among(few, many, signed, n_candidates)
        if found is not None:
            return found
        n_candidates *= 4
    cosines = np.concatenate([block for _, block in blocks(few, many, signed)])
    return linear_sum_assignment(cosines, maximize=True)


def _assigned_among(
    few: np.ndarray, many: np.ndarray, signed: bool, n_candidates: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """The best pairs of each direction and one of its nearest; None if these are too few."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    places, values = [], []
    for _, cosines in blocks(few, many, signed):
        order = np.argpartition(cosines, -n_candidates, axis=1)
        near = order[:, -n_candidates:].astype(np.int32)  # a view would keep the whole block
        places.append(near)
        values.append(np.take_along_axis(cosines, near, axis=1))
    # Weights of 0 would count as no edge; all pairs have as many edges, so that 2 more is the same.
    weights = np.concatenate(values).astype(np.float64) + 2
    starts = np.arange(0, weights.size + 1, n_candidates)
    graph = csr_array(
        (weights.ravel(), np.concatenate(places).ravel(), starts), shape=(len(few), len(many))
    )
    try:
        return min_weight_full_bipartite_matching(graph, maximize=True)
    except ValueError:  # some directions share all of their candidates with too many others
        return None
