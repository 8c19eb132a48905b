"""The factors of variation of a dataset, and the map between a row and its levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unweave._check import (
    check_choice,
    check_factor_kinds,
    check_indices,
    check_names,
    check_positive,
)

__all__ = ["Factor", "FactorSpace"]


@dataclass(frozen=True)
class Factor:
    """One factor of variation: its name, its kind, and the value of each of its levels.

    Parameters
    ----------
    name
        Name of the factor.
    values
        Value of each level. Empty for a ``continuous`` or ``circular`` factor that takes any value.
    kind
        What the levels mean: ``categorical`` (no order), ``ordinal`` (an order), ``circular`` (the
        values are angles in radians) or ``continuous`` (numbers of an interval).
    labels
        Word for each level, as cube and sphere; empty where levels have no words.

    Raises
    ------
    ValueError
        If the kind is unknown, a factor with levels has none, or labels are not as many as levels.
    """

    name: str
    values: tuple[float, ...] = ()
    kind: str = "ordinal"
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(float(v) for v in self.values))
        object.__setattr__(self, "labels", tuple(str(label) for label in self.labels))
        check_factor_kinds([self.kind], 1)
        if not self.values and self.kind in ("categorical", "ordinal"):
            raise ValueError(f"factor {self.name!r} has no values: it needs at least one level")
        if self.labels and len(self.labels) != len(self.values):
            raise ValueError(
                f"factor {self.name!r} has {len(self.values)} levels and {len(self.labels)} "
                "labels: give one label for each level"
            )

    @property
    def has_levels(self) -> bool:
        """Whether it takes one of finitely many values, so that it is given by levels."""
        return bool(self.values)

    @property
    def size(self) -> int:
        """Number of levels; 0 if it takes any value."""
        return len(self.values)


class FactorSpace:
    """The grid of all combinations of factor levels, in C order: the last factor is the fastest.

    A row index and its levels are two writings of the same number in mixed radix.

    >>> space = FactorSpace([Factor("shape", (0, 1), "categorical"), Factor("x", (0, 0.5, 1))])
    >>> space.levels([0, 4]).tolist()
    [[0, 0], [1, 1]]
    >>> space.indices([[1, 1]]).tolist()
    [4]
    """

    def __init__(self, factors: Sequence[Factor]) -> None:
        self.factors = tuple(factors)
        if not self.factors:
            raise ValueError("a factor space needs at least one factor")
        free = [factor.name for factor in self.factors if not factor.has_levels]
        if free:
            raise ValueError(
                f"factor {free[0]!r} has no levels, and a factor space is a grid of levels: give "
                "its values, or use unweave.datasets.ImageTable for factors of any value"
            )
        self.names = check_names("factor", (f.name for f in self.factors), len(self.factors))
        self.sizes = tuple(factor.size for factor in self.factors)
        self.kinds = tuple(factor.kind for factor in self.factors)
        radix = np.cumprod((1,) + self.sizes[:0:-1])[::-1]
        self._radix = np.ascontiguousarray(radix, dtype=np.int64)

    @property
    def n_factors(self) -> int:
        """Number of factors."""
        return len(self.factors)

    def __len__(self) -> int:
        return int(np.prod(self.sizes, dtype=np.int64))

    def __repr__(self) -> str:
        inner = ", ".join(f"{f.name}: {f.size} {f.kind}" for f in self.factors)
        return f"FactorSpace({inner})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FactorSpace) and self.factors == other.factors

    def __hash__(self) -> int:
        return hash(self.factors)

    def position(self, name: str) -> int:
        """Column of the factor called ``name``."""
        return self.names.index(check_choice("factor", name, self.names))

    def levels(self, indices: object) -> np.ndarray:
        """Levels (n, factors) int64 of the rows ``indices`` (n,)."""
        indices = check_indices(indices, len(self))
        return indices[:, None] // self._radix % np.array(self.sizes)

    def all_levels(self) -> np.ndarray:
        """Levels (rows, factors) int64 of the whole grid, row by row."""
        grid = np.empty((*self.sizes, self.n_factors), dtype=np.int64)
        for k, size in enumerate(self.sizes):
            grid[..., k] = np.arange(size).reshape(-1, *[1] * (self.n_factors - 1 - k))
        return grid.reshape(-1, self.n_factors)

    def indices(self, levels: object) -> np.ndarray:
        """Row indices (n,) int64 of ``levels`` (n, factors)."""
        return self._checked_levels(levels) @ self._radix

    def values(self, levels: object) -> np.ndarray:
        """Factor values (n, factors) float64 of ``levels`` (n, factors); angles in radians."""
        levels = self._checked_levels(levels)
        columns = [np.array(f.values)[levels[:, i]] for i, f in enumerate(self.factors)]
        return np.stack(columns, axis=1)

    def sample(
        self,
        n_samples: int,
        *,
        random_state: int | np.random.Generator,
        fixed: Mapping[str, int] | None = None,
    ) -> np.ndarray:
        """Levels (n_samples, factors), uniform and independent, with some factors held fixed.

        Parameters
        ----------
        n_samples
            How many rows to draw, with replacement.
        random_state
            A seed, or the generator to draw from.
        fixed
            Level at which to hold a factor, by the factor's name.
        """
        check_positive("n_samples", n_samples, minimum=0)
        rng = np.random.default_rng(random_state)
        levels = rng.integers(self.sizes, size=(n_samples, self.n_factors))
        for name, level in (fixed or {}).items():
            column = self.position(name)
            if not 0 <= level < self.sizes[column]:
                raise ValueError(
                    f"factor {name!r} has levels 0 to {self.sizes[column] - 1}, not {level}"
                )
            levels[:, column] = level
        return levels

    def _checked_levels(self, levels: object) -> np.ndarray:
        array = np.asarray(levels)
        if array.dtype.kind not in "iu" or array.ndim != 2 or array.shape[1] != self.n_factors:
            raise ValueError(
                f"levels must be integers of shape (n, {self.n_factors}), not {array.dtype} of "
                f"shape {array.shape}"
            )
        array = array.astype(np.int64)
        outside = np.flatnonzero(((array < 0) | (array >= np.array(self.sizes))).any(axis=0))
        if outside.size:
            i = int(outside[0])
            raise ValueError(f"levels of {self.names[i]!r} must lie in [0, {self.sizes[i]})")
        return array
