"""Images with a table of factors, which need not be a grid."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from unweave._check import check_indices, check_names
from unweave.datasets.dataset import FactorDataset, ImageDataset, known_rows
from unweave.datasets.factors import Factor

__all__ = ["ImageTable"]


class ImageTable(FactorDataset):
    """Images of a dataset, with a value or a level of each factor for each image.

    Parameters
    ----------
    images
        The images.
    factor_columns
        What each column of the table is.
    values
        Table (n, columns): a level, from 0 on, of a factor with levels; otherwise a value, an
        angle in radians if the factor is circular. nan where it is unknown.
    nuisances
        Names of factors that are not scored.
    name
        Names the dataset in messages; by default that of the images.

    Raises
    ------
    ValueError
        If the table has not one row for each image and one column for each factor, or holds
        infinite values, or levels that its factors do not have.

    >>> from unweave.datasets import ArrayDataset
    >>> images = ArrayDataset(np.zeros((3, 8, 8, 1), dtype=bool))
    >>> dataset = ImageTable(images, [Factor("angle", kind="circular")], [[0.1], [3.0], [np.nan]])
    >>> dataset.labelled_rows
    array([0, 1])
    """

    def __init__(
        self,
        images: ImageDataset,
        factor_columns: Sequence[Factor],
        values: object,
        *,
        nuisances: Sequence[str] = (),
        name: str | None = None,
    ) -> None:
        self._images = images
        self.name = images.name if name is None else name
        self.image_shape, self.binary = images.image_shape, images.binary
        self.notes = images.notes
        self.factor_columns, self.nuisances = tuple(factor_columns), tuple(nuisances)
        check_names("factor", (f.name for f in self.factor_columns), len(self.factor_columns))
        self._values = _checked(values, self.factor_columns, len(images), self.name)
        if not self.scored:
            raise ValueError(f"every factor of {self.name} is a nuisance: leave one to be scored")

    def __len__(self) -> int:
        return len(self._images)

    def __repr__(self) -> str:
        factors = ", ".join(
            f"{f.name}: {f.size} {f.kind}" if f.has_levels else f"{f.name}: {f.kind}"
            for f in self.factor_columns
        )
        return f"{type(self).__name__}({len(self)} images of {self.image_shape}, {factors})"

    @functools.cached_property
    def identity(self) -> str:
        """That of the images; the factors are not part of it."""
        return self._images.identity

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> ImageTable:
        """Bring all images into the cache, if they are kept there."""
        self._images.prepare(progress)
        return self

    def images(self, indices: object) -> np.ndarray:
        """Images (n, height, width, channels) uint8."""
        return self._images.images(indices)

    def stored(self, indices: object) -> np.ndarray:
        """The images as they are stored."""
        return self._images.stored(indices)

    def all_factors(self, indices: object) -> np.ndarray:
        """Every factor (n, columns) of the rows, int64 if all are levels and known."""
        return self._values[check_indices(indices, len(self))]

    @functools.cached_property
    def _labelled(self) -> np.ndarray | None:
        return known_rows(self)

    @property
    def labelled_rows(self) -> np.ndarray | None:
        """Rows of which every scored factor is known; None if that is so of all rows."""
        return self._labelled


def _checked(values: object, factors: tuple[Factor, ...], n: int, name: str) -> np.ndarray:
    table = np.asarray(values)
    if table.dtype.kind not in "iuf" or table.shape != (n, len(factors)):
        raise ValueError(
            f"the table of factors must be numbers of shape ({n}, {len(factors)}), a row for each "
            f"image of {name} and a column for each factor, not {table.dtype} of shape "
            f"{table.shape}"
        )
    for column, factor in zip(table.T, factors, strict=True):
        known = column[~np.isnan(column)] if table.dtype.kind == "f" else column
        if not np.isfinite(known).all():
            raise ValueError(f"factor {factor.name!r} of {name} holds infinite values")
        if (
            factor.has_levels
            and not ((known == np.round(known)) & (known >= 0) & (known < factor.size)).all()
        ):
            raise ValueError(
                f"factor {factor.name!r} of {name} must hold levels from 0 to {factor.size - 1}"
            )
    if all(factor.has_levels for factor in factors) and np.isfinite(table).all():
        return np.ascontiguousarray(table, dtype=np.int64)
    return np.ascontiguousarray(table, dtype=np.float64)
