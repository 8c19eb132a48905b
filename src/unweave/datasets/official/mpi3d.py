"""MPI3D (Gondal et al. 2019): an object on a robot's arm, rendered and photographed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from unweave.datasets.catalogue import DATASETS
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.members import open_member
from unweave.datasets.official.grids import OfficialGrid, check_images
from unweave.datasets.official.location import official_file
from unweave.datasets.store import mapped_array

__all__ = [
    "MPI3D",
    "MPI3DChallengeToy",
    "MPI3DReal",
    "MPI3DRealComplex",
    "MPI3DRealistic",
    "MPI3DToy",
]


def _words(name: str, words: str) -> Factor:
    labels = tuple(word.replace("_", " ") for word in words.split())
    return Factor(name, tuple(range(len(labels))), "categorical", labels)


def _space(colors: str, shapes: str) -> FactorSpace:
    return FactorSpace(
        [
            _words("object_color", colors),
            _words("object_shape", shapes),
            Factor("object_size", (0, 1), "ordinal", ("small", "large")),
            Factor("camera_height", (0, 1, 2), "ordinal", ("top", "center", "bottom")),
            _words("background_color", "purple sea_green salmon"),
            Factor("horizontal_axis", tuple(range(40))),
            Factor("vertical_axis", tuple(range(40))),
        ]
    )


_SIMPLE = _space("white green red blue brown olive", "cone cube cylinder hexagonal pyramid sphere")


class MPI3D(OfficialGrid):
    """What the five MPI3D sets have in common; their classes say which colours and shapes.

    The official ``.npz`` stores its images uncompressed, so that they are memory-mapped where they
    are (12.7 GB). The check sum of the file is compared once.

    Parameters
    ----------
    path
        The file, or a folder that holds it; None for the dataset's folder in the cache.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it does not hold the images of this set, or is damaged.

    References
    ----------
    Gondal et al.: On the Transfer of Inductive Bias from Simulation to the Real World (2019).
    https://github.com/rr-learning/disentanglement_dataset
    """

    space = _SIMPLE
    image_shape = (64, 64, 3)

    def __init__(self, path: str | Path | None = None) -> None:
        super().__init__(path)
        file = official_file(self.name, path, *DATASETS[self.name].files)
        self._files = (file,)
        found = open_member(file, "images")
        n = found.shape[0]
        if n != len(self):
            raise ValueError(f"{file} holds {n:,} images, and {self._meant}: {_explained(n)}")
        check_images(found, (len(self), *self.image_shape), self.name)

    @property
    def _meant(self) -> str:
        colors, shapes = self.space.sizes[:2]
        return f"{self.name} has {len(self):,}, of {colors} colours and {shapes} shapes"

    def _map(self, progress: Callable[[int, int], None] | None) -> np.ndarray:
        return mapped_array(self._files[0], "images", progress=progress)


class MPI3DToy(MPI3D):
    """MPI3D, simple renderings: 1,036,800 images of 6 colours and 6 shapes."""

    name = "mpi3d_toy"


class MPI3DRealistic(MPI3D):
    """MPI3D, realistic renderings: 1,036,800 images of 6 colours and 6 shapes."""

    name = "mpi3d_realistic"


class MPI3DReal(MPI3D):
    """MPI3D, photographs: 1,036,800 images of 6 colours and 6 shapes."""

    name = "mpi3d_real"


class MPI3DRealComplex(MPI3D):
    """MPI3D, photographs of everyday objects: 460,800 images of 4 colours and 4 shapes."""

    name = "mpi3d_real_complex"
    space = _space("yellow green olive red", "coffee_cup tennis_ball croissant beer_cup")


class MPI3DChallengeToy(MPI3D):
    """MPI3D, the toy set of the challenge of 2019: 460,800 images of 4 colours and 4 shapes.

    disentanglement_lib saves the file as ``mpi3d_toy.npz``, the name of a set that was published
    later and has 6 colours and 6 shapes.
    """

    name = "mpi3d_challenge_toy"
    space = _space("green red blue brown", "cone cube hexagonal_prism sphere")


def _explained(n: int) -> str:
    """What a file of so many images may be."""
    classes = (MPI3DToy, MPI3DRealistic, MPI3DReal, MPI3DRealComplex, MPI3DChallengeToy)
    names = [cls.name for cls in classes if len(cls.space) == n]
    if not names:
        return "no MPI3D file has so many; get the file again"
    note = (
        "; disentanglement_lib saves the challenge's toy set as mpi3d_toy.npz"
        if MPI3DChallengeToy.name in names
        else ""
    )
    return f"a file of {n:,} is that of {' or '.join(names)}{note}: open it by that name"
