"""What every dataset with known factors promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from unweave.datasets.factors import FactorSpace
from unweave.datasets.symmetries import Symmetry

__all__ = ["FactorDataset", "ImageDataset"]


class ImageDataset(ABC):
    """Images, whatever is known of them.

    How it stores them is its own affair, but for one promise to training: ``stored`` returns them
    as they lie on disk, so that the bits are unpacked where they are used.
    """

    name: str
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
        """The images flattened: bits packed as by ``numpy.packbits`` if ``binary``, else uint8."""
        flat = self.images(indices).reshape(-1, int(np.prod(self.image_shape)))
        return np.packbits(flat > 127, axis=1) if self.binary else flat


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
