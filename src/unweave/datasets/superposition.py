"""Features in superposition: more directions than dimensions, few of them active in each row."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unweave._check import check_positive
from unweave._limits import check_room

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["FeatureSample", "Superposition"]

_BLOCK = 1024  # rows that are drawn at once: a part of the law of what a seed gives
_DIRECTIONS, _LOADINGS = 1, 2  # what random numbers are for


@dataclass(frozen=True, eq=False)
class FeatureSample:
    """Rows of a :class:`Superposition`, and what made them."""

    points: np.ndarray
    """(rows, dimensions), float32."""
    activations: csr_array
    """(rows, features), float32: how strongly each feature is active, 0 where it does not fire."""
    directions: np.ndarray
    """(features, dimensions), of length 1."""
    parents: np.ndarray
    """(features,): the feature without which each one never fires; -1 if there is none."""
    rates: np.ndarray
    """(features,): probability that each feature fires in a row."""

    def save(self, file: str | Path) -> None:
        """Write an .npz that ``unweave score --features`` reads: each field is an array.

        Raises
        ------
        ValueError
            If memory does not hold the activations as an array.
        """
        n_bytes = math.prod(self.activations.shape) * 4
        check_room(n_bytes, "the array of activations")
        np.savez_compressed(
            file,
            points=self.points,
            activations=self.activations.toarray(),
            directions=self.directions,
            parents=self.parents,
            rates=self.rates,
        )


@dataclass(frozen=True, kw_only=True)
class Superposition:
    r"""The law of rows :math:`x = \sum_i a_i d_i + \epsilon` of sparse features, all of it known.

    - **Directions** :math:`d_i` are normal and scaled to length 1: uniform on the sphere.
    - **Trees.** The first ``n_trees`` features are roots. Each feature above the lowest level has
      ``branching`` children. Features beyond the trees have neither parent nor children.
    - **Rates.** The feature of rank :math:`r` among the :math:`R` without a parent, from 1 on,
      fires with probability :math:`l + (h - l) (r^{-s} - R^{-s}) / (1 - R^{-s})`: Zipf's law with
      exponent s, moved so that it runs from the highest rate h to the lowest one l.
    - **Children.** Where a parent fires, one of its children does with probability
      ``child_share``, each equally likely; never two, and none where the parent does not fire. So
      the rate of a child is that of its parent times ``child_share`` / ``branching``.
    - **Correlations.** A feature without a parent fires where a standard normal variable exceeds
      its quantile. Two of these variables correlate by ``correlation`` times the cosine of
      two random directions in ``correlation_rank`` dimensions: a Gaussian copula of low rank,
      which leaves every rate as it is.
    - **Activations** of features that fire are log-normal with mean 1, and ``spread`` is the
      deviation of their logarithm. All are independent.
    - **Noise** :math:`\epsilon` is normal, with deviation ``noise`` in each dimension.

    References
    ----------
    Elhage et al. (2022), https://arxiv.org/abs/2209.10652, for superposition. SynthSAEBench (2026),
    https://arxiv.org/abs/2602.14687, has these ingredients at 16,384 features; its rates below the
    roots and its activations follow other laws.

    >>> sample = Superposition(n_dims=8, n_features=20, n_trees=2).sample(100, random_state=0)
    >>> sample.points.shape, sample.activations.shape, sample.parents[-4:].tolist()
    ((100, 8), (100, 20), [1, 1, 1, 1])
    """

    n_dims: int = 64
    n_features: int = 256
    n_trees: int = 8
    branching: int = 4
    depth: int = 1
    """Levels of each tree below its root; 0 for features without parents alone."""
    child_share: float = 0.8
    """How often a child of a feature fires, where the feature does."""
    exponent: float = 0.5
    highest_rate: float = 0.4
    lowest_rate: float = 5e-4
    correlation: float = 0.1
    """Share of the variance of the normal variables that they have in common, in [0, 1)."""
    correlation_rank: int = 25
    spread: float = 0.3
    noise: float = 0.0
    seed: int = 0
    """Seed of the directions and of the correlations; rows have a seed of their own."""

    def __post_init__(self) -> None:
        for name in ("n_dims", "n_features", "branching", "correlation_rank"):
            check_positive(name, getattr(self, name))
        for name in ("n_trees", "depth", "seed"):
            check_positive(name, getattr(self, name), minimum=0)
        if not 0 < self.lowest_rate <= self.highest_rate < 1:
            raise ValueError(
                "rates must rise from lowest_rate to highest_rate between 0 and 1, not from "
                f"{self.lowest_rate} to {self.highest_rate}"
            )
        if not 0 <= self.child_share <= 1:
            raise ValueError(f"child_share is a probability, not {self.child_share}")
        if not 0 <= self.correlation < 1:
            raise ValueError(
                f"correlation is a share of variance from 0 to below 1, not {self.correlation}"
            )
        for name in ("exponent", "spread", "noise"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is a number of at least 0, not {getattr(self, name)}")
        if self.n_tops < max(1, self.n_trees):
            raise ValueError(
                f"{self.n_trees} trees of {self._tree_size} features each need more than "
                f"{self.n_features} features: take fewer trees, or give more features"
            )

    @property
    def _tree_size(self) -> int:
        return sum(self.branching**level for level in range(self.depth + 1))

    @property
    def n_tops(self) -> int:
        """How many features have no parent; they are the first ones."""
        return self.n_features - self.n_trees * (self._tree_size - 1)

    @cached_property
    def parents(self) -> np.ndarray:
        """(features,): the parent of each feature, -1 if it has none."""
        parents = np.full(self.n_features, -1)
        level, start = np.arange(self.n_trees), self.n_tops
        for _ in range(self.depth):
            stop = start + len(level) * self.branching
            parents[start:stop] = np.repeat(level, self.branching)
            level, start = np.arange(start, stop), stop
        return parents

    @cached_property
    def rates(self) -> np.ndarray:
        """(features,): probability that each feature fires in a row, exactly."""
        falling = np.arange(1, self.n_tops + 1) ** -float(self.exponent)
        span = 1 - falling[-1]
        share = (falling - falling[-1]) / span if span > 0 else np.ones(self.n_tops)
        rates = np.empty(self.n_features)
        rates[: self.n_tops] = self.lowest_rate + (self.highest_rate - self.lowest_rate) * share
        for i in range(self.n_tops, self.n_features):
            rates[i] = rates[self.parents[i]] * self.child_share / self.branching
        return rates

    @cached_property
    def directions(self) -> np.ndarray:
        """(features, dimensions): of length 1."""
        rng = np.random.default_rng([self.seed, _DIRECTIONS])
        return _unit(rng.standard_normal((self.n_features, self.n_dims)))

    @cached_property
    def loadings(self) -> np.ndarray:
        """(features without a parent, ``correlation_rank``).

        Inner products of two rows are the correlations of their normal variables.
        """
        rng = np.random.default_rng([self.seed, _LOADINGS])
        rows = rng.standard_normal((self.n_tops, self.correlation_rank))
        return math.sqrt(self.correlation) * _unit(rows)

    def sample(self, n: int, *, random_state: int | np.random.Generator) -> FeatureSample:
        """Independent rows.

        Parameters
        ----------
        n
            How many rows.
        random_state
            A seed, or the generator to draw from. The rows of a smaller sample are the first rows
            of a larger one in steps of 1,024 only.
        """
        from scipy.sparse import vstack

        n, rng = check_positive("n", n), np.random.default_rng(random_state)
        activations, points = [], []
        for size in _sizes(n):
            active = self._activations(size, rng)
            noise = self.noise * rng.standard_normal((size, self.n_dims)) if self.noise else 0.0
            activations.append(active)
            points.append((active @ self.directions + noise).astype(np.float32))
        return FeatureSample(
            np.concatenate(points),
            vstack(activations, format="csr", dtype=np.float32),
            self.directions,
            self.parents,
            self.rates,
        )

    def _activations(self, n: int, rng: np.random.Generator) -> csr_array:
        from scipy.sparse import csr_array

        rows, features = self._firings(n, rng)
        logarithms = self.spread * rng.standard_normal(len(rows)) - self.spread**2 / 2
        return csr_array((np.exp(logarithms), (rows, features)), shape=(n, self.n_features))

    def _firings(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Row and feature of whatever fires."""
        from scipy.special import ndtri

        common = rng.standard_normal((n, self.correlation_rank)) @ self.loadings.T
        own = rng.standard_normal((n, self.n_tops))
        normal = common + math.sqrt(1 - self.correlation) * own
        level = np.nonzero(normal > -ndtri(self.rates[: self.n_tops]))
        found, start, first = [level], self.n_tops, 0
        for depth in range(self.depth):
            width = self.n_trees * self.branching**depth
            has_children = (level[1] >= first) & (level[1] < first + width)
            rows, parents = level[0][has_children], level[1][has_children]
            drawn = rng.random(len(rows))
            fires = drawn < self.child_share
            which = np.floor(drawn[fires] / self.child_share * self.branching).astype(np.int64)
            which = np.minimum(which, self.branching - 1)  # where a quotient is rounded up to 1
            level = rows[fires], start + (parents[fires] - first) * self.branching + which
            found.append(level)
            first, start = start, start + width * self.branching
        rows, features = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return rows, features


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _sizes(n: int) -> Iterator[int]:
    for start in range(0, n, _BLOCK):
        yield min(_BLOCK, n - start)
