"""Datasets whose factors of variation are known."""

from unweave._check import check_choice
from unweave.datasets.dataset import FactorDataset
from unweave.datasets.dsprites import DSprites
from unweave.datasets.factors import Factor, FactorSpace

__all__ = ["DATASETS", "DSprites", "Factor", "FactorDataset", "FactorSpace", "load"]

DATASETS: dict[str, type[FactorDataset]] = {"dsprites": DSprites}


def load(name: str) -> FactorDataset:
    """The dataset called ``name``, with its default settings.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    return DATASETS[check_choice("dataset", name, DATASETS)]()
