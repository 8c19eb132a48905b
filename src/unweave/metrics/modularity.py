"""Modularity (Ridgeway and Mozer 2018): whether each latent knows one factor only."""

from __future__ import annotations

from functools import partial
from typing import Unpack

import numpy as np

from unweave._check import check_choice
from unweave.metrics._information import InformationTable
from unweave.metrics._one_matrix import OneMatrixOptions, one_matrix_scores
from unweave.metrics.score import Reading, Score

__all__ = ["modularity", "read_modularity"]

_CONVENTIONS = ("alive_latents", "disentanglement_lib")


def modularity(
    codes: object,
    factors: object,
    *,
    convention: str = "alive_latents",
    **options: Unpack[OneMatrixOptions],
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
    check_choice("convention", convention, _CONVENTIONS)
    return one_matrix_scores(
        {"modularity": partial(read_modularity, convention=convention)},
        codes,
        factors,
        min_factors=2,
        settings={"convention": convention},
        **options,
    )["modularity"]


def read_modularity(table: InformationTable, convention: str = "alive_latents") -> Reading:
    """Mean over latents of one less the squared informations beyond the first."""
    squared = table.information**2
    first = squared.max(axis=1)
    alive = first > 0
    beyond = (squared.sum(axis=1) - first) / (squared.shape[1] - 1)
    per_latent = np.where(alive, 1 - beyond / np.where(alive, first, 1.0), 0.0)
    counted = per_latent if convention == "disentanglement_lib" else per_latent[alive]
    value = float(counted.mean()) if counted.size else 0.0
    return Reading(value, per_latent, table.information, names=table.names)
