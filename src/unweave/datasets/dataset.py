"""What every dataset with known factors promises."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from unweave.datasets.factors import FactorSpace
from unweave.datasets.pixels import PixelScale, as_array, check_shape
from unweave.datasets.symmetries import Symmetry

__all__ = ["FactorDataset", "ImageDataset", "check_dataset", "spread_rows"]

_N_PROBED = 64


class ImageDataset(ABC):
    """Images, whatever is known of them.

    A subclass needs ``image_shape``, ``images`` and ``__len__``. Storage is up to it.
    Training calls ``stored``, which checks what ``images`` returns and converts it by the rule of
    :class:`~unweave.datasets.pixels.PixelScale`. A subclass whose images are stored as bits
    overrides it, so that they are unpacked where they are used.
    """

    name: str = "images"
    """Names the dataset in messages and in descriptions of runs."""
    image_shape: tuple[int, int, int]
    """Height, width, channels."""
    binary: bool = False
    """Whether every pixel is 0 or 255, so that ``stored`` packs eight pixels in a byte."""

    @abstractmethod
    def images(self, indices: object) -> np.ndarray:
        """Images (n, height, width, channels) uint8 in [0, 255] of the rows ``indices``."""

    @abstractmethod
    def __len__(self) -> int: ...

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> ImageDataset:
        """Draw all images into the cache, once, if this data is kept there."""
        return self

    def stored(self, indices: object) -> np.ndarray:
        """The images flattened: bits packed as by ``numpy.packbits`` if ``binary``, else uint8.

        Raises
        ------
        ValueError
            If ``images`` returns another shape, or pixels that cannot be converted to uint8.
        """
        levels = self._scale.convert(self._checked_images(indices))
        self._scale.refuse_dark()
        flat = levels.reshape(len(levels), -1)
        if not self.binary:
            return flat
        white = flat == 255
        if not (white | (flat == 0)).all():
            raise ValueError(
                f"{self._what} hold grey pixels, and the dataset is declared binary: set binary "
                "to False"
            )
        return np.packbits(white, axis=1)

    @functools.cached_property
    def _scale(self) -> PixelScale:
        """What stands for white, as images from all over the dataset show it."""
        scale = PixelScale(self._what)
        scale.convert(self._checked_images(spread_rows(len(self))))
        scale.refuse_dark()
        return scale

    def _checked_images(self, indices: object) -> np.ndarray:
        """What ``images`` returns for the rows, if it is of the right shape."""
        found = as_array(self.images(indices), self._what)
        check_shape(found.shape, self.image_shape, self._what, np.size(indices))  # type: ignore[arg-type]
        return found

    @property
    def _what(self) -> str:
        return f"the images of {self.name}"


class FactorDataset(ImageDataset):
    """Images of every combination of the levels of a :class:`FactorSpace`.

    A dataset says what it is (``name``, ``space``, ``image_shape``) and draws or reads the images
    asked for.
    """

    space: FactorSpace
    symmetries: tuple[Symmetry, ...] = ()
    """Groups that are known to act on the images, each on one factor."""

    def factors(self, indices: object) -> np.ndarray:
        """Levels (n, factors) int64 of the rows ``indices``."""
        return self.space.levels(indices)

    def sample_indices(self, n_samples: int, *, seed: int) -> np.ndarray:
        """Rows (n_samples,) drawn uniformly, without repeats while there are enough rows."""
        rng = np.random.default_rng(seed)
        return rng.choice(len(self), n_samples, replace=n_samples > len(self), shuffle=True)

    def __len__(self) -> int:
        return len(self.space)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} images of {self.image_shape}, {self.space})"


def check_dataset(dataset: ImageDataset) -> None:
    """Refuse a dataset that has no images, or no valid ``image_shape``.

    Raises
    ------
    ValueError
        If that is so.
    """
    shape = getattr(dataset, "image_shape", None)
    try:
        valid = len(shape) == 3 and all(int(side) == side and side > 0 for side in shape)  # type: ignore[arg-type, union-attr]
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            f"image_shape of {type(dataset).__name__} must be (height, width, channels), as (64, "
            f"64, 1) for grayscale images, not {shape}"
        )
    if len(dataset) == 0:
        raise ValueError(f"{type(dataset).__name__} is empty: training needs at least one image")


def spread_rows(n: int) -> np.ndarray:
    """Rows (at most 64,) of ``n``, evenly spaced, to learn from what images look like."""
    return np.linspace(0, n - 1, min(n, _N_PROBED)).astype(np.int64)
