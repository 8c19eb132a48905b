"""Total AUROC difference (Yeats et al. 2022): binary attributes, whether on a grid or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unweave.metrics._information import factor_levels
from unweave.metrics.metric import Metric, score
from unweave.metrics.mig import top_gap
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = ["TAD", "total_auroc_difference"]


@dataclass(frozen=True, kw_only=True)
class TAD(Metric):
    """Sum over binary attributes of the AUROC of the best latent less that of the second best."""

    names = ("tad",)
    titles = ("TAD",)
    family = "prediction"
    range = "from 0 to half the number of attributes"
    bounds: ClassVar[Mapping[str, float | None]] = {"tad": None}
    min_latents = 2
    needs_levels = False
    needs_binary = True
    by_default = False

    min_auroc: float = 0.75
    """What the best latent of an attribute must reach for the attribute to count."""
    max_shared: float = 0.2
    """The most of its entropy that an attribute may share with another one."""

    def __post_init__(self) -> None:
        for name, least in (("min_auroc", 0.5), ("max_shared", 0.0)):
            value = getattr(self, name)
            if not least <= value <= 1:
                raise ValueError(f"{name} must lie between {least:g} and 1, not {value}")

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Count attributes that one latent finds and no other attribute tells."""
        attributes = factor_levels(sample.factors)[0]
        auroc = _auroc(sample, attributes)
        own = _shared(attributes) <= self.max_shared
        counted = own & (auroc.max(axis=0) >= self.min_auroc)
        gaps = np.where(counted, top_gap(auroc), 0.0)
        extras = {
            "counted": float(counted.sum()),
            "shared_with_another": float((~own).sum()),
            "mean_of_counted": float(gaps.sum() / max(counted.sum(), 1)),
        }
        return {"tad": Measurement(float(gaps.sum()), gaps, auroc, extras)}


def total_auroc_difference(
    codes: object,
    factors: object,
    *,
    min_auroc: float = 0.75,
    max_shared: float = 0.2,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""TAD: how far the best latent of each binary attribute is ahead, in [0, attributes / 2].

    .. math:: \sum_{a \text{ counted}} A_{(1)a} - A_{(2)a}, \quad
        A_{ja} = \max(\mathrm{AUROC}_{ja}, 1 - \mathrm{AUROC}_{ja})

    The area under the ROC curve is that of the latent alone as a detector of the attribute, of
    whichever sign. An attribute counts if its best latent reaches ``min_auroc``, and if no other
    attribute b has more than ``max_shared`` of its entropy, :math:`I(a; b) / H(a)`. It is a sum:
    values of different sets of attributes cannot be compared. Attributes may depend on each other,
    and no grid of them is needed.

    Parameters
    ----------
    codes, factors
        Arrays (samples, latents) and (samples, attributes) of the same rows; at least two latents.
        Each attribute takes two values, of whatever kind.
    min_auroc, max_shared
        Which attributes count.
    factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`. ``per_factor`` has the difference of
        each attribute, 0 if it does not count, and ``matrix`` the AUROC (latents, attributes).
        ``extras`` has the number of attributes ``counted``, the number ``shared_with_another``, and
        the ``mean_of_counted`` differences.

    Raises
    ------
    ValueError
        If the arrays cannot be used, or a factor takes more than two values.

    References
    ----------
    Yeats et al. (2022), https://arxiv.org/abs/2209.10677, section 4.3 and their ``celeba_eval``.

    >>> attributes = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1]), -1).reshape(-1, 3)
    >>> score = total_auroc_difference(attributes.astype(float), attributes, noise=None)
    >>> float(score), score.extras["counted"]
    (1.5, 3.0)
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, seed=seed)
    metric = TAD(min_auroc=min_auroc, max_shared=max_shared)
    return score(metric, sample, noise)["tad"]


def _auroc(sample: Sample, attributes: np.ndarray) -> np.ndarray:
    """Area (latents, attributes) under the ROC curve, of whichever sign: at least 1/2.

    From the sum of the ranks of the rows that have the attribute (Mann and Whitney 1947); rows with
    equal codes share their mean rank.
    """
    ranks = sample.once_for_codes("ranks", lambda: _doubled_ranks(sample.codes))
    n_with = attributes.sum(axis=1)
    n_pairs = n_with * (attributes.shape[1] - n_with)
    weights = attributes.T.astype(np.float64)
    sums = np.stack([row @ weights for row in ranks]) / 2
    auroc = (sums - n_with * (n_with + 1) / 2) / n_pairs
    return np.asarray(np.maximum(auroc, 1 - auroc))


def _doubled_ranks(codes: np.ndarray) -> np.ndarray:
    """Twice the mean rank (latents, rows) of each row in each latent: a whole number."""
    from scipy.stats import rankdata

    ranks = np.empty(codes.T.shape, dtype=np.int32)
    for j, column in enumerate(codes.T):
        ranks[j] = np.round(2 * rankdata(column))
    return ranks


def _shared(attributes: np.ndarray) -> np.ndarray:
    """The most of its entropy (attributes,) that each attribute shares with another one."""
    has = attributes.astype(np.float64)
    n = has.shape[1]
    both, n_with = has @ has.T, has.sum(axis=1)
    only = n_with[:, None] - both
    share = n_with / n
    information = np.zeros_like(both)
    for joint, first, second in (
        (both, share, share),
        (only, share, 1 - share),
        (only.T, 1 - share, share),
        (n - both - only - only.T, 1 - share, 1 - share),
    ):
        p = joint / n
        ratio = np.where(p > 0, p, 1.0) / np.where(p > 0, np.outer(first, second), 1.0)
        information += p * np.log(ratio)
    entropy = np.diag(information).copy()
    np.fill_diagonal(information, 0.0)
    return np.asarray(information.max(axis=1) / entropy)
