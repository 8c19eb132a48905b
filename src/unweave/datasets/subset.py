"""Fewer images than there are."""

from __future__ import annotations

import numpy as np

from unweave._check import check_indices, check_positive
from unweave._random import Stream, generator
from unweave.datasets.dataset import ImageDataset

__all__ = ["Subset"]


class Subset(ImageDataset):
    """Images of a dataset drawn by a seed; a smaller subset is part of a larger one.

    Parameters
    ----------
    dataset
        All images.
    n
        How many of them.
    seed
        Of the draw.

    Raises
    ------
    ValueError
        If there are fewer images.
    """

    def __init__(self, dataset: ImageDataset, n: int, *, seed: int = 0) -> None:
        check_positive("n_images", n)
        if n > len(dataset):
            raise ValueError(f"n_images={n:,} is more than {dataset.name} has, {len(dataset):,}")
        self.dataset = dataset
        self.name, self.image_shape = dataset.name, dataset.image_shape
        self.binary = dataset.binary
        self.rows = generator(seed, Stream.SUBSET).permutation(len(dataset))[:n]

    def __len__(self) -> int:
        return len(self.rows)

    def images(self, indices: object) -> np.ndarray:
        """Images (n, height, width, channels) uint8."""
        return self.dataset.images(self.rows[check_indices(indices, len(self))])

    def stored(self, indices: object) -> np.ndarray:
        """The images as the dataset stores them."""
        return self.dataset.stored(self.rows[check_indices(indices, len(self))])
