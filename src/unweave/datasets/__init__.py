"""Datasets whose factors of variation are known."""

from unweave._check import check_choice
from unweave.datasets.dataset import FactorDataset
from unweave.datasets.dsprites import DSprites
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.objects3d import Objects3D
from unweave.datasets.symmetries import CyclicShift, Symmetry, Translation
from unweave.datasets.torus import Torus

__all__ = [
    "DATASETS",
    "CyclicShift",
    "DSprites",
    "Factor",
    "FactorDataset",
    "FactorSpace",
    "Objects3D",
    "Symmetry",
    "Torus",
    "Translation",
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
