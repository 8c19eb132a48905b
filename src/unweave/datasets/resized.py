"""A dataset whose images are resized."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import numpy as np

from unweave._check import check_choice, check_indices
from unweave._storage import cache_folder
from unweave.datasets.dataset import FactorDataset, GridDataset, ImageDataset, known_rows
from unweave.datasets.own.files import Fit, Resample, image_size
from unweave.datasets.store import built_array

__all__ = ["Resized", "ResizedFactors", "ResizedGrid", "resized"]

_BATCH = 256


class Resized(ImageDataset):
    """Images of another dataset, resized by Pillow.

    They are resized when they are asked for. Once as many were asked for as there are, or after
    :meth:`prepare`, all of them lie resized in the cache, so that training resizes them twice at
    most.

    Parameters
    ----------
    dataset
        The images.
    size
        Pixels on a side, or height and width.
    resample
        Filter of Pillow.
    fit
        Where the sides have another ratio: ``crop`` the middle, ``stretch``, or ``pad`` with black.

    Raises
    ------
    ValueError
        If a size is not a whole number of at least 1, or there is no such filter or fit.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        size: int | tuple[int, int],
        *,
        resample: Resample = "lanczos",
        fit: Fit = "crop",
    ) -> None:
        check_choice("resample", resample, get_args(Resample))
        check_choice("fit", fit, get_args(Fit))
        self.dataset, self.resample, self.fit = dataset, resample, fit
        self.name = dataset.name
        self.image_shape = (*image_size(size), dataset.image_shape[2])
        self._n_asked = 0
        self._kept = self._built(None) if self.cache_file.exists() else None

    def __len__(self) -> int:
        return len(self.dataset)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dataset!r} at {self.image_shape[:2]})"

    @functools.cached_property
    def identity(self) -> str:
        """That of the dataset, and how its images are resized."""
        height, width, _ = self.image_shape
        return f"{self.dataset.identity}-{height}x{width}-{self.resample}-{self.fit}"

    @property
    def cache_file(self) -> Path:
        """Where :meth:`prepare` keeps the resized images."""
        return cache_folder() / "arrays" / f"{self._key}.npy"

    @property
    def _key(self) -> str:
        return f"resized-{hashlib.sha256(self.identity.encode()).hexdigest()[:24]}"

    def images(self, indices: object) -> np.ndarray:
        """Images (n, height, width, channels) uint8."""
        rows = check_indices(indices, len(self))
        self._n_asked += len(rows)
        if self._kept is None and self._n_asked > len(self):
            self._n_asked = 0
            with suppress(OSError):  # of a cache that cannot be written: training can do without
                self.prepare()
        return self._resized(rows) if self._kept is None else self._kept[rows]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}  # another process maps the same file

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> Resized:
        """Resize all images into the cache, once."""
        if self._kept is None:
            self._kept = self._built(progress)
        return self

    def _built(self, progress: Callable[[int, int], None] | None) -> np.ndarray:
        shape = (len(self), *self.image_shape)
        return built_array(self._key, shape, np.uint8, self._blocks, progress=progress)

    def _blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        for start in range(0, len(self), _BATCH):
            yield start, self._resized(np.arange(start, min(start + _BATCH, len(self))))

    def _resized(self, rows: np.ndarray) -> np.ndarray:
        from PIL import Image, ImageOps

        width_height = self.image_shape[1::-1]
        method = Image.Resampling[self.resample.upper()]
        found = np.empty((len(rows), *self.image_shape), np.uint8)
        for place, image in zip(found, self.dataset.uint8_images(rows), strict=True):
            picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
            if self.fit == "stretch":
                picture = picture.resize(width_height, method)
            else:
                fitted = ImageOps.fit if self.fit == "crop" else ImageOps.pad
                picture = fitted(picture, width_height, method)
            place[:] = np.asarray(picture).reshape(place.shape)
        return found


class ResizedFactors(Resized, FactorDataset):
    """Resized images whose factors are known."""

    dataset: FactorDataset

    def __init__(self, dataset: FactorDataset, size: int | tuple[int, int], **options) -> None:
        super().__init__(dataset, size, **options)
        self.factor_columns, self.nuisances = dataset.factor_columns, dataset.nuisances
        self.symmetries = dataset.symmetries

    def all_factors(self, indices: object) -> np.ndarray:
        """Every factor (n, columns) of the rows."""
        return self.dataset.all_factors(indices)

    @property
    def labelled_rows(self) -> np.ndarray | None:
        """Rows of which every scored factor is known; None if that is so of all rows."""
        is_same = self.nuisances == self.dataset.nuisances
        return self.dataset.labelled_rows if is_same else self._labelled

    @functools.cached_property
    def _labelled(self) -> np.ndarray | None:
        return known_rows(self)


class ResizedGrid(Resized, GridDataset):
    """Resized images of a full grid."""

    def __init__(self, dataset: GridDataset, size: int | tuple[int, int], **options) -> None:
        super().__init__(dataset, size, **options)
        self.space, self.nuisances = dataset.space, dataset.nuisances
        self.symmetries = dataset.symmetries


def resized(
    dataset: ImageDataset,
    size: int | tuple[int, int],
    *,
    resample: Resample = "lanczos",
    fit: Fit = "crop",
) -> Resized:
    """The dataset with resized images; a grid stays a grid.

    Raises
    ------
    ValueError
        As :class:`Resized`.

    >>> from unweave.datasets import Torus
    >>> resized(Torus(), 16).images([0, 1]).shape
    (2, 16, 16, 1)
    """
    if isinstance(dataset, GridDataset):
        return ResizedGrid(dataset, size, resample=resample, fit=fit)
    if isinstance(dataset, FactorDataset):
        return ResizedFactors(dataset, size, resample=resample, fit=fit)
    return Resized(dataset, size, resample=resample, fit=fit)
