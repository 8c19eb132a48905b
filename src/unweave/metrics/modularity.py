"""Modularity (Ridgeway and Mozer 2018): whether each latent knows one factor only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Unpack

import numpy as np

from unweave._check import check_choice
from unweave.metrics.information import (
    InformationMetric,
    InformationOptions,
    information_scores,
)
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = ["Modularity", "modularity"]

_CONVENTIONS = ("alive_latents", "disentanglement_lib")


@dataclass(frozen=True, kw_only=True)
class Modularity(InformationMetric):
    """Mean over latents of one minus the squared informations beyond the first."""

    names = ("modularity",)
    titles = ("modularity",)
    min_factors: ClassVar[int] = 2

    convention: str = "alive_latents"
    """alive_latents or disentanglement_lib."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("convention", self.convention, _CONVENTIONS)

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """The ratio of what is beyond the first factor of a latent, from 1."""
        table = self.table(sample)
        squared = table.information**2
        first = squared.max(axis=1)
        alive = first > 0
        beyond = (squared.sum(axis=1) - first) / (squared.shape[1] - 1)
        per_latent = np.where(alive, 1 - beyond / np.where(alive, first, 1.0), 0.0)
        counted = per_latent if self.convention == "disentanglement_lib" else per_latent[alive]
        value = float(counted.mean()) if counted.size else 0.0
        found = Measurement(value, per_latent, table.information, names=table.names)
        return {"modularity": found}


def modularity(
    codes: object,
    factors: object,
    *,
    convention: str = "alive_latents",
    **options: Unpack[InformationOptions],
) -> Score:
    r"""How little a latent knows of factors besides its first, in [0, 1].

    .. math:: \frac{1}{D} \sum_j 1 -
        \frac{\sum_{k \ne k_j} I(z_j; v_k)^2}{(K - 1)\, I(z_j; v_{k_j})^2}, \quad
        k_j = \arg\max_k I(z_j; v_k)

    The ratio does not care how little a latent knows in all: pure noise scores about two thirds,
    so read ``adjusted``. ``per_factor`` has a value for each latent.

    Parameters
    ----------
    convention
        ``alive_latents`` leaves out latents that never vary; ``disentanglement_lib`` counts them
        as 0.
    codes, factors, options
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors; at least two
        factors are needed.

    References
    ----------
    Ridgeway and Mozer (2018), https://arxiv.org/abs/1802.05312, section 3.

    >>> factors = np.stack(np.meshgrid([0, 1], [0, 1, 2]), -1).reshape(-1, 2)
    >>> float(modularity(factors.astype(float), factors, noise=None))
    1.0
    """
    scores = information_scores(Modularity, codes, factors, convention=convention, **options)
    return scores["modularity"]
