"""What readers of official files have in common: a full grid of images in a mapped array."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np

from unweave._check import check_indices, check_positive
from unweave.datasets.content import content_hash
from unweave.datasets.dataset import GridDataset
from unweave.datasets.members import Member

__all__ = ["OfficialGrid", "check_images", "check_size", "resized"]


class OfficialGrid(GridDataset):
    """A full grid whose images lie in official files; one process holds only what it touches.

    Files are checked when the dataset is opened. What has to be unpacked is unpacked by
    :meth:`prepare`, or when the first images are asked for.

    A subclass needs what a :class:`GridDataset` needs but ``images``, and ``_files`` and ``_map``.

    Parameters
    ----------
    path
        The official file, or a folder that holds it; None for the dataset's folder in the cache.
    options
        Settings that say which images are made of the files.
    """

    _files: tuple[Path, ...]
    """Official files that the images come from, in a fixed order."""

    def __init__(self, path: str | Path | None = None, **options: Any) -> None:
        self.path = Path(path) if path is not None else None
        self._options = options

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process maps the same files; their content need not travel.
        return functools.partial(type(self), self.path, **self._options), (), self._chosen

    @abstractmethod
    def _map(self, progress: Callable[[int, int], None] | None) -> np.ndarray:
        """All images (rows, height, width, channels) uint8, memory-mapped, in the grid's order."""

    @functools.cached_property
    def identity(self) -> str:
        """The name, the settings and a hash of the files' content."""
        options = "".join(f"-{key}={value}" for key, value in sorted(self._options.items()))
        return f"{self.name}{options}-{content_hash(*self._files)[:16]}"

    @property
    def is_prepared(self) -> bool:
        """Whether this object has mapped the images."""
        return "_mapped" in vars(self)

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> Self:
        """Unpack the images into the cache, once, where they cannot be mapped as they are."""
        if not self.is_prepared:
            vars(self)["_mapped"] = self._map(progress)
        return self

    def images(self, indices: object) -> np.ndarray:
        """Images (n, height, width, channels) uint8."""
        rows = check_indices(indices, len(self))
        return np.asarray(self.prepare()._mapped[rows])  # type: ignore[attr-defined]

    def stored(self, indices: object) -> np.ndarray:
        """Images (n, height * width * channels) uint8, as they lie in the files."""
        images = self.images(indices)
        return images.reshape(len(images), -1)


def check_images(found: Member, shape: tuple[int, ...], name: str) -> None:
    """Refuse images of another shape or dtype than the official ones.

    Parameters
    ----------
    found
        The array in the file.
    shape
        Shape of the official array, with as many axes.
    name
        Name of the dataset.

    Raises
    ------
    ValueError
        If ``found`` is not uint8 of this shape.
    """
    if (found.shape, found.dtype) != (shape, np.dtype(np.uint8)):
        raise ValueError(
            f"the images in {found.file} are {found.dtype} of shape {found.shape}, and those of "
            f"{name} are uint8 of shape {shape}"
        )


def check_size(size: int, official: int) -> int:
    """A number of pixels on a side that images can be resized to.

    Raises
    ------
    ValueError
        If it is not a whole number from 1 to ``official``.
    """
    if check_positive("size", size) > official:
        raise ValueError(
            f"size={size} is more than the {official} pixels of the official images: choose "
            f"{official} or fewer"
        )
    return int(size)


def resized(image: np.ndarray, size: int) -> np.ndarray:
    """An image (height, width) or (height, width, 3) resized to a square by Pillow's LANCZOS."""
    if image.shape[:2] == (size, size):
        return image
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS))
