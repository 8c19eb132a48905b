"""MED (Cao et al. 2022): DCI whose importance is mutual information, so nothing is trained."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Unpack

import numpy as np

from unweave._check import check_positive
from unweave.metrics._importance import completeness, disentanglement
from unweave.metrics._information import InformationTable
from unweave.metrics._one_matrix import OneMatrixOptions, one_matrix_scores
from unweave.metrics.score import Reading, Scores

__all__ = ["mutual_information_entropy_disentanglement", "read_med"]


def mutual_information_entropy_disentanglement(
    codes: object,
    factors: object,
    *,
    top_k: int | None = None,
    **options: Unpack[OneMatrixOptions],
) -> Scores:
    r"""MED: ``med_disentanglement`` and ``med_completeness``, each in [0, 1].

    .. math:: R_{jk} = I(z_j; v_k) / \textstyle\sum_j I(z_j; v_k)

    takes the place of the importance of latent j for factor k in DCI; nothing is trained, so that
    it can be had for wide codes. The bias of the informations, about the same for all latents,
    is spread evenly and lowers the score: it depends on the sample size, the more the wider the
    codes. For wide codes, of which a few latents may be disentangled, ``top_k`` keeps, for each
    factor, only its k latents with the most information, and forgets the others' part in it.

    Parameters
    ----------
    top_k
        Latents kept for each factor; None for all.
    codes, factors, options
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors; at least two
        factors are needed.

    References
    ----------
    Cao et al. (2022), https://arxiv.org/abs/2206.04756, section 4.

    >>> factors = np.stack(np.meshgrid([0, 1], [0, 1, 2]), -1).reshape(-1, 2)
    >>> mutual_information_entropy_disentanglement(factors.astype(float), factors, noise=None)
    metric                value
    ---------------------------
    med_disentanglement  1.0000
    med_completeness     1.0000
    n = 6, seed = 0
    """
    if top_k is not None:
        top_k = check_positive("top_k", top_k)
    return Scores(
        one_matrix_scores(
            read_med(top_k),
            codes,
            factors,
            min_factors=2,
            settings={"top_k": top_k},
            **options,
        )
    )


def read_med(top_k: int | None = None) -> dict[str, Callable[[InformationTable], Reading]]:
    """Both formulas by name."""
    return {
        "med_disentanglement": partial(_read, aggregate=disentanglement, top_k=top_k),
        "med_completeness": partial(_read, aggregate=completeness, top_k=top_k),
    }


def _read(table: InformationTable, aggregate: Callable, top_k: int | None) -> Reading:
    information = np.maximum(table.information, 0.0)
    if top_k is not None and top_k < len(information):
        least = np.sort(information, axis=0)[-top_k]
        information = np.where(information >= least, information, 0.0)
    known = information.sum(axis=0)
    importance = information / np.where(known > 0, known, 1.0)
    # A latent that never varies does not count in the base.
    value, each = aggregate(importance[table.alive])
    names = None
    if table.names is not None and aggregate is disentanglement:
        names = tuple(table.names[i] for i in np.flatnonzero(table.alive))
    return Reading(value, each, importance, names=names)
