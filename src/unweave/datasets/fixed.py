"""The part of a dataset in which some factors do not vary."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import numpy as np

from unweave._check import check_choice, check_indices
from unweave.datasets.dataset import FactorDataset, GridDataset
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.selection import scoring, selected

__all__ = ["FixedGrid", "fixed_at"]


class FixedGrid(GridDataset):
    """The images of a grid in which some factors have one level; a grid of the others.

    Parameters
    ----------
    dataset
        The whole grid.
    levels
        The level, from 0 on, of each factor that is fixed, by name.

    Raises
    ------
    ValueError
        If there is no such factor or level, or no factor is left.
    """

    def __init__(self, dataset: GridDataset, levels: Mapping[str, int]) -> None:
        _check_levels(dataset, levels)
        self.dataset, self.levels = dataset, dict(levels)
        self.name, self.image_shape = dataset.name, dataset.image_shape
        self.binary = dataset.binary
        left = [factor for factor in dataset.space.factors if factor.name not in levels]
        self.space = FactorSpace(left)
        self.nuisances = tuple(name for name in dataset.nuisances if name not in levels)
        self.symmetries = tuple(s for s in dataset.symmetries if s.factor not in levels)

    @functools.cached_property
    def identity(self) -> str:
        """That of the whole grid, and the levels."""
        chosen = "-".join(f"{name}-{level}" for name, level in sorted(self.levels.items()))
        return f"{self.dataset.identity}-fixed-{chosen}"

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> FixedGrid:
        """Bring all images of the whole grid into the cache, if they are kept there."""
        self.dataset.prepare(progress)
        return self

    def images(self, indices: object) -> np.ndarray:
        """Images (n, height, width, channels) uint8."""
        return self.dataset.images(self._rows(indices))

    def stored(self, indices: object) -> np.ndarray:
        """The images as the whole grid stores them."""
        return self.dataset.stored(self._rows(indices))

    def _rows(self, indices: object) -> np.ndarray:
        """Rows (n,) of the whole grid."""
        own = self.space.levels(check_indices(indices, len(self)))
        every = np.empty((len(own), self.dataset.space.n_factors), np.int64)
        for column, name in enumerate(self.dataset.space.names):
            is_fixed = name in self.levels
            every[:, column] = self.levels[name] if is_fixed else own[:, self.space.position(name)]
        return self.dataset.space.indices(every)


def fixed_at(dataset: FactorDataset, levels: Mapping[str, int]) -> FactorDataset:
    """The images whose factors have the given levels; those factors are not scored.

    A grid stays a grid, of the other factors.

    Parameters
    ----------
    dataset
        All images.
    levels
        The level, from 0 on, of each factor that is fixed, by name.

    Raises
    ------
    ValueError
        If there is no such factor or level, a factor has no levels, or no image or no factor is
        left.

    >>> from unweave.datasets import DSprites
    >>> fixed_at(DSprites(), {"orientation": 0})
    FixedGrid(18432 images of (64, 64, 1), FactorSpace(shape: 3 categorical, scale: 6 ordinal, \
posX: 32 ordinal, posY: 32 ordinal))
    """
    if isinstance(dataset, GridDataset):
        return FixedGrid(dataset, levels)
    _check_levels(dataset, levels)

    def is_chosen(factors: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.all([factors[name] == level for name, level in levels.items()], axis=0)

    return scoring(selected(dataset, is_chosen), nuisances=tuple(levels))


def _check_levels(dataset: FactorDataset, levels: Mapping[str, int]) -> None:
    factors: dict[str, Factor] = {factor.name: factor for factor in dataset.factor_columns}
    for name, level in levels.items():
        factor = factors[check_choice(f"factor of {dataset.name}", name, list(factors))]
        if not factor.has_levels:
            raise ValueError(
                f"factor {name!r} of {dataset.name} has no levels, so that it cannot be fixed at "
                f"level {level}: choose the rows by its values, with the method where"
            )
        if not 0 <= level < factor.size:
            raise ValueError(
                f"factor {name!r} of {dataset.name} has the levels 0 to {factor.size - 1}, not "
                f"{level}"
            )
    if not set(factors) - set(levels):
        raise ValueError(f"no factor of {dataset.name} is left to vary: fix fewer of them")
