"""Mutual information gap (Chen et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

import numpy as np

from unweave.metrics._groups import GroupsOption
from unweave.metrics.information import (
    InformationMetric,
    InformationOptions,
    information_scores,
)
from unweave.metrics.metric import score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = [
    "MIG",
    "RMIG",
    "mutual_information_gap",
    "robust_mutual_information_gap",
    "top_gap",
]


class MIG(InformationMetric):
    """Mean gap between the two latents that know most of a factor, over its entropy."""

    names = ("mig",)
    titles = ("MIG",)

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Sort each factor's column, and take the difference at its end."""
        table = self.table(sample)
        gaps = top_gap(table.normalised, 1.0)
        value = float(gaps.mean())
        exact = value if self.estimator == "adjusted" else None
        return {"mig": Measurement(value, gaps, table.information, adjusted=exact)}

    def adjusted(self, sample: Sample) -> Mapping[str, float]:
        """The gap of informations that are corrected for chance exactly."""
        table = self.table(sample, "adjusted")
        return {"mig": float(top_gap(table.normalised, 1.0).mean())}


class RMIG(InformationMetric):
    """The same in nats."""

    names = ("rmig",)
    titles = ("RMIG",)
    range: ClassVar[str] = "from 0, in nats"
    bounds: ClassVar[Mapping[str, float | None]] = {"rmig": None}

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """The gap of informations that are not over the entropy."""
        table = self.table(sample)
        gaps = top_gap(table.information, table.factor_entropy)
        extras = {"normalised": float(gaps.mean() / table.factor_entropy.mean())}
        return {"rmig": Measurement(float(gaps.mean()), gaps, table.information, extras)}


def mutual_information_gap(
    codes: object,
    factors: object,
    *,
    estimator: str = "disentanglement_lib",
    n_bins: int = 20,
    binning: str = "equal_width",
    groups: GroupsOption | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""How far the latent that knows a factor best is ahead of the second best, in [0, 1].

    .. math:: \frac{1}{K} \sum_k \frac{I(z_{(1)}; v_k) - I(z_{(2)}; v_k)}{H(v_k)}

    Informations are in nats. The estimate depends on the bins and on the sample size: ``n_bins``
    bins cannot distinguish more levels than their number (see ``notes``), and with few rows the
    plug-in estimate is biased down for good codes, because the runner-up carries the larger share
    of the bias. Compare only scores of the same settings and sample size, or the adjusted ones.

    Parameters
    ----------
    codes, factors
        Arrays, tensors or data frames (samples, latents) and (samples, factors) of the same rows.
        Codes are numbers, factors numbers or words. Two data frames with an index are matched by
        it. Missing values are refused.
    estimator
        ``disentanglement_lib``, the plug-in estimate of that library and most papers;
        ``miller_madow``, its first-order bias correction; ``adjusted``, corrected exactly for
        chance (Vinh et al. 2010), which stands in ``adjusted`` beside the first two, too; ``ksg``,
        from the 3 nearest neighbours in codes that are not binned (Ross 2014): nearly free of the
        sample size and of the cap by bins. Its error may exceed the entropy; a gap is cut at 1.
    n_bins, binning
        Each latent is cut into this many bins of ``equal_width`` or by ``quantile``; outliers
        destroy the first and do nothing to the second.
    groups
        Groups of latents that take the place of latents, such as the two of an angle: the sizes of
        consecutive blocks ([1, 2, 1]), or the latents of each group ([[0], [1, 2], [3]]), or a
        mapping from names to latents; every latent is in one. The information of a group is that
        of all its latents together: of their joint bins, ``n_bins`` for each latent, of which those
        count that some row falls into; with ``ksg`` from neighbours in all its latents. The bias of
        joint bins grows with their number, so that groups of many latents need many rows: read
        ``adjusted`` and ``notes``. The matrix then has a row for each group.
    factor_names, factor_kinds
        One for each factor; without them those of the data frame, the position, and what the
        column says: ``categorical`` for words and booleans (``ordinal`` for a categorical that
        declares an order), ``ordinal`` for numbers. A kind may be None to leave it to the column.
        Factors of kind ``continuous`` are cut into ``n_bins`` bins of equal width. Levels of words
        are sorted, or in the order of the categorical; ``levels`` of the score has their names.
    noise
        What to spend on chance level, p-value and interval; None for the bare value alone.
    seed
        Seed of all draws.

    Raises
    ------
    ValueError
        If the arrays cannot be used (nan, other lengths, a constant factor, a single latent).

    References
    ----------
    Chen et al. (2018), https://arxiv.org/abs/1802.04942, equation 6.

    >>> factors = np.stack(np.meshgrid([0, 1], [0, 1, 2]), -1).reshape(-1, 2)
    >>> float(mutual_information_gap(factors.astype(float), factors, noise=None))
    1.0
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, groups=groups, seed=seed)
    metric = MIG(estimator=estimator, n_bins=n_bins, binning=binning)
    return score(metric, sample, noise)["mig"]


def robust_mutual_information_gap(
    codes: object,
    factors: object,
    **options: Unpack[InformationOptions],
) -> Score:
    r"""RMIG: the gap of :func:`mutual_information_gap` in nats, from 0 to the mean entropy.

    .. math:: \frac{1}{K} \sum_k I(z_{(1)}; v_k) - I(z_{(2)}; v_k)

    Factors of many levels count for more than in MIG. The paper takes the informations from the
    posterior q(z|x), cut into bins; for codes without noise of their own that is the histogram
    used here. ``extras["normalised"]`` is the mean gap over the mean entropy.

    Parameters, options and errors are those of :func:`mutual_information_gap`.

    References
    ----------
    Do and Tran (2020), https://arxiv.org/abs/1908.09961, section 4.3.

    >>> factors = np.stack(np.meshgrid([0, 1], [0, 1]), -1).reshape(-1, 2)
    >>> score = robust_mutual_information_gap(factors.astype(float), factors, noise=None)
    >>> round(float(score / np.log(2)), 6)
    1.0
    """
    return information_scores(RMIG, codes, factors, **options)["rmig"]


def top_gap(matrix: np.ndarray, most: float | np.ndarray = np.inf) -> np.ndarray:
    """Largest minus second largest of each column of (latents, factors), and at most ``most``.

    An estimate from neighbours may exceed the entropy that bounds the information.
    """
    second, first = np.sort(matrix, axis=0)[-2:]
    return np.minimum(first - second, most)
