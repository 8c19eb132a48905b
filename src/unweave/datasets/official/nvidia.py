"""Falcor3D and Isaac3D (Nie et al. 2020), read from their published files."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from unweave.datasets.dataset import GridDataset
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.official._named_files import existing_files
from unweave.datasets.official.location import official_file
from unweave.datasets.own.files import Fit, ImageFiles, Resample

__all__ = ["Falcor3D", "Isaac3D", "space_of_labels"]

FactorSize = tuple[str, int, str]
"""Name, number of levels and kind of a factor."""


class _NumberedImages(GridDataset):
    """Images of a grid in numbered files, beside a file with the labels of each."""

    factor_sizes: ClassVar[tuple[FactorSize, ...]]
    """Sizes of the factors; the first varies slowest with the number of an image."""
    archive: ClassVar[str]
    """Folder in the archive that holds the file of labels and the folder of images."""
    labels_file: ClassVar[str]

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        size: int | tuple[int, int] = 128,
        resample: Resample = "bicubic",
        fit: Fit = "stretch",
    ) -> None:
        nested = f"{self.archive}/{self.labels_file}"
        self.path = official_file(self.name, path, self.labels_file, nested)
        self.space = space_of_labels(_labels(self.path), self.factor_sizes, str(self.path))
        names = [f"{row:06d}.png" for row in range(len(self.space))]
        files = existing_files(self.path.parent / "images", names, self.name)
        self._images = ImageFiles(
            files, size=size, resample=resample, fit=fit, channels="colour", name=self.name
        )
        self.image_shape = self._images.image_shape

    @functools.cached_property
    def identity(self) -> str:
        """That of the image files."""
        return self._images.identity

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> _NumberedImages:
        """Decode all images into the cache, once."""
        self._images.prepare(progress)
        return self

    def images(self, indices: object) -> np.ndarray:
        """Images (n, height, width, 3) uint8."""
        return self._images.images(indices)

    def stored(self, indices: object) -> np.ndarray:
        """The images as they are stored."""
        return self._images.stored(indices)


class Falcor3D(_NumberedImages):
    """Falcor3D: 233,280 images of a rendered living room, published at 128 pixels.

    Seven factors: the intensity of the light (5 levels), and three coordinates each of its
    direction and of the camera (6 levels). Values of levels lie in [0, 1].

    Nie et al. (2020), https://arxiv.org/abs/2003.03461; the files are described in
    https://github.com/NVlabs/High-res-disentanglement-datasets.

    Parameters
    ----------
    path
        The folder ``Falcor3D_down128``, or the one that it lies in. It holds ``train-rec.labels``
        (a NumPy file) and ``images`` (``000000.png`` to ``233279.png``). By default the folder
        ``falcor3d`` of the cache.
    size
        Pixels: a side, or height and width.
    resample
        Filter that images are resized with; bicubic in what others published.
    fit
        What happens to images of another aspect ratio.

    Raises
    ------
    FileNotFoundError
        If files are missing; the first of them are named.
    ValueError
        If the labels are not those of the full grid in its order.
    """

    name = "falcor3d"
    archive = "Falcor3D_down128"
    labels_file = "train-rec.labels"
    factor_sizes = (
        ("lighting_intensity", 5, "ordinal"),
        ("lighting_x", 6, "ordinal"),
        ("lighting_y", 6, "ordinal"),
        ("lighting_z", 6, "ordinal"),
        ("camera_x", 6, "ordinal"),
        ("camera_y", 6, "ordinal"),
        ("camera_z", 6, "ordinal"),
    )


class Isaac3D(_NumberedImages):
    """Isaac3D: 737,280 images of a robot arm in a rendered kitchen, published at 128 pixels.

    Nine factors. The description beside the files lists their names in another order than that in
    which they vary: the steps that it gives (245760, 30720, 6144, 1536, 384, 96, 16, 4, 1) fit the
    order of the labels, which is the one here: object_shape 3, robot_x 8, robot_y 5,
    camera_height 4, object_scale 4, lighting_intensity 4, lighting_y 6, object_color 4,
    wall_color 4. Each column of the labels is checked for its number of levels and its step, and
    named by them.

    Nie et al. (2020), https://arxiv.org/abs/2003.03461; the files are described in
    https://github.com/NVlabs/High-res-disentanglement-datasets.

    Parameters
    ----------
    path
        The folder ``Isaac3D_down128``, or the one that it lies in. It holds ``labels.npy`` and
        ``images`` (``000000.png`` to ``737279.png``). By default the folder ``isaac3d`` of the
        cache.
    size
        Pixels: a side, or height and width.
    resample
        Filter that images are resized with; bicubic in what others published.
    fit
        What happens to images of another aspect ratio.

    Raises
    ------
    FileNotFoundError
        If files are missing; the first of them are named.
    ValueError
        If the labels are not those of the full grid in its order.
    """

    name = "isaac3d"
    archive = "Isaac3D_down128"
    labels_file = "labels.npy"
    factor_sizes = (
        ("object_shape", 3, "categorical"),
        ("robot_x", 8, "ordinal"),
        ("robot_y", 5, "ordinal"),
        ("camera_height", 4, "ordinal"),
        ("object_scale", 4, "ordinal"),
        ("lighting_intensity", 4, "ordinal"),
        ("lighting_y", 6, "ordinal"),
        ("object_color", 4, "categorical"),
        ("wall_color", 4, "categorical"),
    )


def space_of_labels(
    labels: np.ndarray, factor_sizes: Sequence[FactorSize], file: str
) -> FactorSpace:
    """The grid whose rows have these labels (n, factors), with the values of its levels.

    A column is recognised by its number of levels and by how many rows pass before it changes;
    columns may be in any order.

    Raises
    ------
    ValueError
        If the labels are of another shape, or a column fits none of the factors.
    """
    sizes = [size for _, size, _ in factor_sizes]
    n, n_columns = int(np.prod(sizes)), len(sizes)
    if labels.dtype.kind not in "iuf" or labels.shape != (n, n_columns):
        raise ValueError(
            f"{file} holds {labels.dtype} of shape {labels.shape}, and the labels are numbers of "
            f"shape ({n}, {n_columns}), a row for each image: give the file that came with the "
            "images"
        )
    steps = [n // int(np.prod(sizes[: k + 1])) for k in range(n_columns)]
    known = dict(zip(zip(sizes, steps, strict=True), factor_sizes, strict=True))
    found: dict[str, Factor] = {}
    for column in range(n_columns):
        values, step = _levels(labels[:, column])
        name, _, kind = known.get((len(values), step), ("", 0, ""))
        if not name or name in found or not _fits(labels[:, column], values, step, kind):
            wanted = ", ".join(
                f"{name} {size} every {step:,}" for (size, step), (name, *_) in known.items()
            )
            raise ValueError(
                f"column {column} of {file} has {len(values)} levels and changes first after "
                f"{step:,} images, and the factors have these levels, each changing after as many "
                f"images: {wanted}. The labels are not in the order of the images: give the file "
                "that came with them"
            )
        found[name] = Factor(name, tuple(labels[: step * len(values) : step, column]), kind)
    return FactorSpace([found[name] for name, *_ in factor_sizes])


def _levels(column: np.ndarray) -> tuple[np.ndarray, int]:
    """The values that the column takes, in their order; and the first row that differs from 0."""
    rounded = np.round(column.astype(np.float64), 6)
    step = int(np.argmax(rounded != rounded[0]))
    _, first = np.unique(rounded, return_index=True)
    return rounded[np.sort(first)], step


def _fits(column: np.ndarray, values: np.ndarray, step: int, kind: str) -> bool:
    """Whether the column runs through the values again and again, in steps of so many rows."""
    level = np.arange(len(column)) // step % len(values)
    monotone = (np.diff(values) > 0).all() or (np.diff(values) < 0).all()
    in_turn = np.array_equal(np.round(column.astype(np.float64), 6), values[level])
    return in_turn and bool(monotone or kind == "categorical")


def _labels(file: Path) -> np.ndarray:
    try:
        return np.load(file, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            f"{file} is not the file of labels, an array of NumPy ({error}): get it again"
        ) from error
