"""Interventional robustness score (Suter et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unweave._check import check_choice, constant_columns
from unweave.metrics._information import bin_codes
from unweave.metrics._interventions import Interventional, all_groups
from unweave.metrics._predictors import scaled_like
from unweave.metrics.metric import score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = ["IRS", "interventional_robustness_score"]

_CONVENTIONS = ("standardised", "disentanglement_lib", "own_levels")
_REBINNED = 20


@dataclass(frozen=True, kw_only=True)
class IRS(Interventional):
    """How far latents move within rows of one level, at worst."""

    names = ("irs",)
    titles = ("IRS",)
    cost = 5

    diff_quantile: float = 0.99
    """Quantile over the rows of a level; 1 is the maximum."""

    def __post_init__(self) -> None:
        check_choice("convention", self.convention, _CONVENTIONS)
        if not 0 < self.diff_quantile <= 1:
            raise ValueError(f"diff_quantile must lie in (0, 1], not {self.diff_quantile}")

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """The share of its reach that a latent does not leave, weighted by reach."""
        codes, factors = sample.codes, sample.factors
        if self.convention == "disentanglement_lib":
            factors = bin_codes(factors.astype(np.float64), _REBINNED).T
        scaled = scaled_like(codes)[0] if self.convention == "standardised" else codes
        return {"irs": _measured(scaled, all_groups(factors, sample.kinds), self.diff_quantile)}


def interventional_robustness_score(
    codes: object,
    factors: object,
    *,
    convention: str = "standardised",
    diff_quantile: float = 0.99,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""IRS: how little a latent moves while its factor stands still, at worst, in [0, 1].

    .. math:: \frac{\sum_j w_j \max_k \left(1 - \frac{1}{|v_k|} \sum_v
        \frac{Q\,|z_j - E[z_j | v_k = v]|}{\max |z_j - E[z_j]|}\right)}{\sum_j w_j}

    Q is a quantile over the rows with that level. The weights w are the largest deviations of the
    latents. With few rows a level the quantile hardly reaches the extremes, so that noise scores
    well above 0: read ``adjusted``. One factor's levels with few rows each help it most.

    Parameters
    ----------
    codes, factors
        As of :func:`~unweave.metrics.beta_vae_score`: a grid, or a plain table that is grouped.
    convention
        ``standardised``: the factors' own levels, and each latent scaled to deviation 1 before it
        is weighted; ``disentanglement_lib``: factors cut into 20 bins again, codes as they are;
        ``own_levels``: the factors' own levels, codes as they are.
    diff_quantile
        Which quantile; 1 is the maximum, as in the paper.
    factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors.

    References
    ----------
    Suter et al. (2019), https://arxiv.org/abs/1811.00007, section 4.

    >>> factors = np.stack(np.meshgrid(range(4), range(4)), -1).reshape(-1, 2)
    >>> float(interventional_robustness_score(factors.astype(float), factors, noise=None))
    1.0
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, seed=seed)
    metric = IRS(convention=convention, diff_quantile=diff_quantile)
    return score(metric, sample, noise)["irs"]


def _measured(codes: np.ndarray, groups, quantile: float) -> Measurement:
    from unweave.metrics import _kernels

    columns = np.ascontiguousarray(codes.T, dtype=np.float64)
    worst = np.array([np.abs(column - column.mean()).max() for column in columns])
    alive = np.ones(len(columns), dtype=bool)
    alive[constant_columns(codes)] = False
    if not alive.any():
        return Measurement(0.0, np.zeros(len(groups)), np.zeros((len(columns), len(groups))))
    moved = np.stack(
        [_kernels.grouped_deviations(columns, g.order, g.starts, quantile) for g in groups], axis=1
    )
    robustness = np.where(alive[:, None], 1 - moved / np.where(alive, worst, 1.0)[:, None], 0.0)
    value = np.average(robustness.max(axis=1)[alive], weights=worst[alive])
    return Measurement(float(np.clip(value, 0, 1)), robustness.max(axis=0), robustness)
