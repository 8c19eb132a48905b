"""What latents do in rows: how often they fire, for which features, and what they reconstruct."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Union

import numpy as np

from unweave.metrics.dictionary.dictionary import Dictionary

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Pairs", "Rows", "Tally", "tally"]

_BLOCK = 1 << 22  # codes that are in memory at once: 32 MB, some of them a few times
_LEAST_LENGTH = 1e-6  # of a point, below which what is left of its length means nothing

Table = Union[np.ndarray, "csr_array"]


@dataclass(frozen=True, eq=False)
class Rows:
    """The same rows as points, codes and true activations, as far as they are known."""

    points: np.ndarray | None
    """(rows, dimensions)"""
    codes: Table | None
    """(rows, latents); None if the dictionary encodes the points."""
    activations: Table | None
    """(rows, features)"""
    fires_above: float = 0.0
    """A latent or feature fires where its size exceeds this."""

    def __len__(self) -> int:
        known = next(t for t in (self.codes, self.points, self.activations) if t is not None)
        return known.shape[0]

    def shuffled(self, rng: np.random.Generator) -> Rows:
        """Codes beside the points and activations of other rows."""
        order = rng.permutation(len(self))
        return replace(
            self,
            points=None if self.points is None else self.points[order],
            activations=None if self.activations is None else self.activations[order],
        )

    def blocks(self, dictionary: Dictionary) -> Iterator[tuple[slice, _Block]]:
        """Consecutive rows with their codes."""
        wide = [len(dictionary.directions)]
        wide += [] if self.activations is None else [self.activations.shape[1]]
        step = max(1, _BLOCK // max(wide))
        for start in range(0, len(self), step):
            rows = slice(start, min(start + step, len(self)))
            points = None if self.points is None else self.points[rows]
            active = None
            if self.activations is not None:
                active = self._fires(_dense(self.activations[rows]))
            codes = self._codes(rows, dictionary)
            yield rows, _Block(points, codes, self._fires(codes), active)

    def _codes(self, rows: slice, dictionary: Dictionary) -> np.ndarray:
        if self.codes is not None:
            return _dense(self.codes[rows])
        assert self.points is not None
        assert dictionary.encode is not None
        return np.asarray(dictionary.encode(self.points[rows]))

    def _fires(self, values: np.ndarray) -> np.ndarray:
        return (np.abs(values) > self.fires_above).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Block:
    points: np.ndarray | None
    codes: np.ndarray
    fires: np.ndarray
    """(rows, latents): 1 where a latent fires."""
    active: np.ndarray | None
    """(rows, features): 1 where a feature does."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which latent is judged by which feature, and which latents stand for parents."""

    latents: np.ndarray
    features: np.ndarray
    """(pairs,)"""
    children: np.ndarray
    """(edges,): features that have a parent."""
    parents: np.ndarray
    """(edges,): their parents."""
    of_parents: np.ndarray
    """(edges,): the latent nearest to the parent."""


@dataclass(frozen=True, eq=False)
class Tally:
    """Sums over rows, each with several weights of rows: (weights, ...)."""

    n: np.ndarray
    fired: np.ndarray
    """(weights, latents)"""
    pair_fired: np.ndarray
    pair_active: np.ndarray
    pair_hit: np.ndarray
    """(weights, pairs): rows in which the latent fires, the feature does, and both do."""
    alone: np.ndarray
    alone_fired: np.ndarray
    """(weights, edges): rows with the parent and none of its children, and those in which its
    latent fires."""
    with_child: np.ndarray
    with_child_fired: np.ndarray
    """(weights, edges): the same with the parent and this child."""
    n_lengths: np.ndarray
    lengths: np.ndarray
    """(weights,): sum over rows of the reconstruction's length as a share of the point's."""
    residual: np.ndarray
    squares: np.ndarray
    total: np.ndarray
    """(weights,), (weights,), (weights, dimensions): sums of squared errors, of squares, of
    points."""

    @property
    def l0(self) -> np.ndarray:
        """Latents that fire in a row, on average."""
        return self.fired.sum(axis=1) / self.n

    @property
    def dead(self) -> np.ndarray:
        """Share of latents that never fire."""
        return (self.fired == 0).mean(axis=1)

    @property
    def shrinkage(self) -> np.ndarray:
        """Length of the reconstruction as a share of the point's, on average."""
        return _ratio(self.lengths, self.n_lengths, np.nan)

    @property
    def explained_variance(self) -> np.ndarray:
        """Share of the points' variance that is not left in the errors."""
        variance = self.squares - (self.total**2).sum(axis=1) / self.n
        return 1 - _ratio(self.residual, np.where(variance > 0, variance, 0), np.nan)

    @property
    def precision(self) -> np.ndarray:
        """(weights, pairs): share of a latent's firings in which its feature fires."""
        return _ratio(self.pair_hit, self.pair_fired, 0.0)

    @property
    def recall(self) -> np.ndarray:
        """(weights, pairs): share of a feature's firings in which its latent fires."""
        return _ratio(self.pair_hit, self.pair_active, 0.0)

    @property
    def f1(self) -> np.ndarray:
        """(weights, pairs): harmonic mean of the two."""
        return _ratio(2 * self.pair_hit, self.pair_fired + self.pair_active, 0.0)

    @property
    def gaps(self) -> np.ndarray:
        """(weights, edges): absorption; nan where parent or child never fires."""
        alone = _ratio(self.alone_fired, self.alone, np.nan)
        return alone - _ratio(self.with_child_fired, self.with_child, np.nan)


def tally(dictionary: Dictionary, rows: Rows, pairs: Pairs, weights: np.ndarray) -> Tally:
    """Sums over all rows, block by block; ``weights`` (weights, rows) are 0 or 1."""
    sums: dict[str, np.ndarray] = {}
    for part, block in rows.blocks(dictionary):
        share = weights[:, part]
        for name, values in _summands(dictionary, block, pairs).items():
            added = (share @ values).astype(np.float64)
            sums[name] = sums[name] + added if name in sums else added
    return Tally(**sums)


def _summands(dictionary: Dictionary, block: _Block, pairs: Pairs) -> dict[str, np.ndarray]:
    """What each row adds to each sum of a tally: (rows,) or (rows, ...)."""
    n = len(block.fires)
    fires, active = block.fires, block.active
    if active is None:
        active = np.zeros((n, 0), np.float32)
        pairs = Pairs(*(np.empty(0, np.int64) for _ in range(5)))
    fired, true = fires[:, pairs.latents], active[:, pairs.features]
    child, parent = active[:, pairs.children], active[:, pairs.parents]
    alone = parent * (1 - _any_child(active, pairs))
    both, latent = parent * child, fires[:, pairs.of_parents]
    return {
        "n": np.ones(n),
        "fired": fires,
        "pair_fired": fired,
        "pair_active": true,
        "pair_hit": fired * true,
        "alone": alone,
        "alone_fired": alone * latent,
        "with_child": both,
        "with_child_fired": both * latent,
        **_errors(dictionary, block),
    }


def _any_child(active: np.ndarray, pairs: Pairs) -> np.ndarray:
    """(rows, edges): 1 where any child of the edge's parent fires."""
    from scipy.sparse import csr_array

    n_features = active.shape[1]
    shape = n_features, n_features
    children = csr_array(
        (np.ones(len(pairs.parents)), (pairs.parents, pairs.children)), shape=shape
    )
    parents, of_edge = np.unique(pairs.parents, return_inverse=True)
    found = (children[parents] @ active.T).T > 0
    return found[:, of_edge].astype(np.float32)


def _errors(dictionary: Dictionary, block: _Block) -> dict[str, np.ndarray]:
    n = len(block.codes)
    if block.points is None:
        zero = np.zeros(n)
        names = ("n_lengths", "lengths", "residual", "squares")
        return {**dict.fromkeys(names, zero), "total": np.zeros((n, 1))}
    points = block.points.astype(np.float64)
    made = dictionary.decode(block.codes)
    length = np.linalg.norm(points, axis=1)
    counts = length > _LEAST_LENGTH
    made_length = np.linalg.norm(made, axis=1)
    return {
        "n_lengths": counts.astype(np.float64),
        "lengths": np.where(counts, made_length / np.where(counts, length, 1.0), 0.0),
        "residual": ((points - made) ** 2).sum(axis=1),
        "squares": length**2,
        "total": points,
    }


def _ratio(part: np.ndarray, whole: np.ndarray, otherwise: float) -> np.ndarray:
    """The share, and ``otherwise`` where there is nothing to share."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), otherwise)


def _dense(table: Table) -> np.ndarray:
    return table if isinstance(table, np.ndarray) else table.toarray()
