"""MED (Cao et al. 2022): DCI whose importance is mutual information, so nothing is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Unpack

import numpy as np

from unweave._check import check_positive
from unweave.metrics._importance import completeness, disentanglement
from unweave.metrics.information import (
    InformationMetric,
    InformationOptions,
    information_scores,
)
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement
from unweave.metrics.scores import Scores

__all__ = ["MED", "mutual_information_entropy_disentanglement"]


@dataclass(frozen=True, kw_only=True)
class MED(InformationMetric):
    """DCI's formulas of informations as shares of what is known of a factor."""

    names = ("med_disentanglement", "med_completeness")
    titles = ("MED disentanglement", "MED completeness")
    min_factors: ClassVar[int] = 2

    top_k: int | None = None
    """Latents kept for each factor; none for all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.top_k is not None:
            check_positive("top_k", self.top_k)

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Shares of informations, of latents that vary: others do not count in the base."""
        table = self.table(sample)
        information = np.maximum(table.information, 0.0)
        if self.top_k is not None and self.top_k < len(information):
            least = np.sort(information, axis=0)[-self.top_k]
            information = np.where(information >= least, information, 0.0)
        known = information.sum(axis=0)
        importance = information / np.where(known > 0, known, 1.0)
        separate, per_latent = disentanglement(importance[table.alive])
        complete, per_factor = completeness(importance[table.alive])
        names = None
        if table.names is not None:
            names = tuple(table.names[i] for i in np.flatnonzero(table.alive))
        return {
            "med_disentanglement": Measurement(separate, per_latent, importance, names=names),
            "med_completeness": Measurement(complete, per_factor, importance),
        }


def mutual_information_entropy_disentanglement(
    codes: object,
    factors: object,
    *,
    top_k: int | None = None,
    **options: Unpack[InformationOptions],
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
    return Scores(information_scores(MED, codes, factors, top_k=top_k, **options))
