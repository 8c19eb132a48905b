"""Gaps that start from the latent: MIG-sup and DCIMIG; and JEMMIG, which counts what is left."""

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
from unweave.metrics.mig import top_gap
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = ["DCIMIG", "JEMMIG", "MIGSup", "dcimig", "jemmig", "mig_sup"]

_MIG_SUP_CONVENTIONS = ("by_factor_entropy", "by_code_entropy")


@dataclass(frozen=True, kw_only=True)
class MIGSup(InformationMetric):
    """Mean gap between the two factors that a latent knows most of."""

    names = ("mig_sup",)
    titles = ("MIG-sup",)
    min_factors: ClassVar[int] = 2

    convention: str = "by_factor_entropy"
    """by_factor_entropy or by_code_entropy."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("convention", self.convention, _MIG_SUP_CONVENTIONS)
        if self.convention == "by_code_entropy" and not self.is_binned:
            raise ValueError("convention='by_code_entropy' needs binned codes: not estimator='ksg'")

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Sort each latent's row, and take the difference at its end."""
        table = self.table(sample)
        normalised = table.normalised
        alive = table.alive
        if self.convention == "by_code_entropy" and table.code_entropy is not None:
            normalised = table.information / np.maximum(table.code_entropy, 1e-12)[:, None]
        gaps = np.where(alive, top_gap(normalised.T, 1.0), 0.0)
        value = float(gaps[alive].mean()) if alive.any() else 0.0
        return {"mig_sup": Measurement(value, gaps, table.information, names=table.names)}


class DCIMIG(InformationMetric):
    """Best gap among the latents of each factor, over the entropy of all factors."""

    names = ("dcimig",)
    titles = ("DCIMIG",)
    min_factors: ClassVar[int] = 2

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Each latent belongs to the factor that it knows best."""
        table = self.table(sample)
        information, entropy = table.information, table.factor_entropy
        first = information.argmax(axis=1)
        gaps = top_gap(information.T, entropy[first])
        best = np.zeros(len(entropy))
        np.maximum.at(best, first, gaps)
        value = float(best.sum() / entropy.sum())
        return {"dcimig": Measurement(value, best / entropy, information)}


class JEMMIG(InformationMetric):
    """Joint entropy with the first latent, less what it knows, plus what the second knows."""

    names = ("jemmig",)
    titles = ("JEMMIG",)
    takes_groups: ClassVar[bool] = False  # it counts the bins of single latents

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.is_binned:
            raise ValueError("jemmig needs the entropy of binned codes: choose another estimator")

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """The numerator over its largest value, from 1."""
        table = self.table(sample)
        information, factors = table.information, np.arange(len(table.factor_entropy))
        first = information.argmax(axis=0)
        left = table.joint_entropy[first, factors] - top_gap(information)
        per_factor = 1 - left / (table.factor_entropy + np.log(table.n_bins or 1))
        extras = {"nats": float(left.mean())}
        value = float(per_factor.mean())
        return {"jemmig": Measurement(value, per_factor, information, extras)}


def mig_sup(
    codes: object,
    factors: object,
    *,
    convention: str = "by_factor_entropy",
    **options: Unpack[InformationOptions],
) -> Score:
    r"""MIG-sup: how far a latent's first factor is ahead of its second, in [0, 1].

    .. math:: \frac{1}{D} \sum_j \tilde I(z_j; v_{(1)}) - \tilde I(z_j; v_{(2)}),
        \quad \tilde I(z_j; v_k) = I(z_j; v_k) / H(v_k)

    It supplements MIG: a latent that mixes two factors is punished here, a factor that is spread
    over two latents is not, if each of them knows all of it. A latent that knows a part of its
    factor, as the cosine of an angle does, has that part. Latents that know nothing count and pull
    it down, but for those that never vary, which are left out. ``per_factor`` has a value for each
    latent.

    Parameters
    ----------
    convention
        ``by_factor_entropy`` as in the paper; ``by_code_entropy``, as the code of Ubisoft La Forge
        does, over the entropy of the binned latent.
    codes, factors, options
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors; at least two
        factors are needed.

    References
    ----------
    Li et al. (2020), https://arxiv.org/abs/2002.10549, equation 8.

    >>> factors = np.stack(np.meshgrid([0, 1], [0, 1, 2]), -1).reshape(-1, 2)
    >>> float(mig_sup(factors.astype(float), factors, noise=None))
    1.0
    """
    return information_scores(MIGSup, codes, factors, convention=convention, **options)["mig_sup"]


def dcimig(
    codes: object,
    factors: object,
    **options: Unpack[InformationOptions],
) -> Score:
    r"""DCIMIG (3CharM): the best latent's gap for each factor over all entropy, in [0, 1].

    .. math:: \frac{\sum_k \max_{j: k_j = k} d_j}{\sum_k H(v_k)}, \quad
        d_j = I(z_j; v_{k_j}) - \max_{l \ne k_j} I(z_j; v_l), \quad
        k_j = \arg\max_k I(z_j; v_k)

    Further latents of a factor cost nothing here, if one of them knows all of it; a factor that no
    latent knows best counts 0.

    Parameters, options and errors are those of :func:`~unweave.metrics.mutual_information_gap`;
    at least two factors are needed.

    References
    ----------
    Sepliarskaia et al. (2019), https://arxiv.org/abs/1910.05587, section 4.

    >>> factors = np.stack(np.meshgrid([0, 1], [0, 1, 2]), -1).reshape(-1, 2)
    >>> round(float(dcimig(factors.astype(float), factors, noise=None)), 6)
    1.0
    """
    return information_scores(DCIMIG, codes, factors, **options)["dcimig"]


def jemmig(
    codes: object,
    factors: object,
    **options: Unpack[InformationOptions],
) -> Score:
    r"""JEMMIG: MIG that also punishes a latent for holding more than its factor, in [0, 1].

    .. math:: \frac{1}{K} \sum_k 1 -
        \frac{H(z_{(1)}, v_k) - I(z_{(1)}; v_k) + I(z_{(2)}; v_k)}{H(v_k) + \log B}

    with B bins. The bare numerator, in nats and best when small, is ``extras["nats"]``. Noise in a
    latent fills its bins and lowers the score; so does a latent whose bins are finer than the
    factor's levels. The floor depends on the bins: independent noise has about 0, a latent that
    never varies more.

    Parameters, options and errors are those of :func:`~unweave.metrics.mutual_information_gap`;
    ``estimator="ksg"`` is refused.

    References
    ----------
    Do and Tran (2020), https://arxiv.org/abs/1908.09961, section 4.3.

    >>> factors = np.stack(np.meshgrid([0, 1], [0, 1]), -1).reshape(-1, 2)
    >>> round(float(jemmig(factors.astype(float), factors, n_bins=2, noise=None)), 6)
    1.0
    """
    if options.get("groups") is not None:
        raise ValueError("jemmig counts the bins of single latents: it has no groups")
    return information_scores(JEMMIG, codes, factors, **options)["jemmig"]
