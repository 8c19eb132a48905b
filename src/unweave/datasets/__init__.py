"""Datasets whose factors of variation are known."""

from unweave._check import check_choice
from unweave.datasets.arrays import ArrayDataset, as_image_dataset
from unweave.datasets.dataset import FactorDataset, ImageDataset
from unweave.datasets.dsprites import DSprites
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.objects3d import Objects3D
from unweave.datasets.posed import PosedObjects
from unweave.datasets.s3o4d import S3O4D
from unweave.datasets.symmetries import CyclicShift, Rotations, Symmetry, Translation
from unweave.datasets.torus import Torus

__all__ = [
    "DATASETS",
    "ArrayDataset",
    "CyclicShift",
    "DSprites",
    "Factor",
    "FactorDataset",
    "FactorSpace",
    "ImageDataset",
    "Objects3D",
    "PosedObjects",
    "S3O4D",
    "Rotations",
    "Symmetry",
    "Torus",
    "Translation",
    "as_image_dataset",
    "load",
]

DATASETS: dict[str, type[FactorDataset]] = {"dsprites": DSprites, "torus": Torus}


def load(name: str) -> FactorDataset:
    """The dataset called ``name``, with its default settings.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    return DATASETS[check_choice("dataset", name, DATASETS)]()
