"""What a VAE's codes score at the mean of the posterior and at a draw from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unweave._check import check_codes, constant_columns, read_codes
from unweave._tables import CodeTable, index_of, matching_rows
from unweave.metrics._table import text_table
from unweave.metrics.catalogue import MetricLike
from unweave.metrics.comparison import Comparison, compare
from unweave.metrics.dependence import gaussian_total_correlation

__all__ = ["MeanAgainstSample", "mean_against_sample"]

_METRICS = ("mig", "modularity", "sap", "dci_disentanglement", "dci_completeness")
_INFORMATIVE = 0.01  # nats
_LARGEST_LOG_VARIANCE = 80.0


@dataclass(frozen=True)
class MeanAgainstSample:
    """The mean representation of a VAE beside a draw from its posterior; prints as a table."""

    scores: Comparison | None
    """Each metric at the mean (``first``) and at the draw (``second``); None without factors."""
    total_correlation_of_mean: float
    """In nats, of the normal distribution with the covariance of the means."""
    total_correlation_of_sample: float
    """The same of draws: the covariance of the means and, on its diagonal, the mean variance."""
    kl: tuple[float, ...]
    """Mean over rows, in nats, of the divergence of each latent's posterior from N(0, 1)."""
    kinds: tuple[str, ...]
    """Kind of each latent: ``active``, ``mixed`` or ``passive``."""
    n_samples: int
    seed: int
    notes: tuple[str, ...] = ()

    @property
    def n_informative(self) -> int:
        """How many latents have a divergence of more than 0.01 nats."""
        return sum(one > _INFORMATIVE for one in self.kl)

    def latents(self, kind: str) -> tuple[int, ...]:
        """The latents that are ``active``, ``mixed`` or ``passive``."""
        return tuple(j for j, own in enumerate(self.kinds) if own == kind)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, lists and dicts, for JSON."""
        return {
            "n": self.n_samples,
            "seed": self.seed,
            "total_correlation": {
                "mean": self.total_correlation_of_mean,
                "sample": self.total_correlation_of_sample,
            },
            "kl": list(self.kl),
            "kinds": list(self.kinds),
            "n_informative": self.n_informative,
            "scores": None if self.scores is None else self.scores.to_dict(),
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        first, second = self.total_correlation_of_mean, self.total_correlation_of_sample
        gap = f"{first - second:+.4f}"
        cells = [["total correlation (nats)", f"{first:.4f}", f"{second:.4f}", gap, "", ""]]
        columns = ["metric", "mean", "sample", "difference", "interval", "p"]
        if self.scores is not None:
            columns, own = self.scores.rows("mean", "sample")
            cells += own
        latents = ", ".join(
            f"{len(found)} {kind} {list(found)}"
            for kind in ("active", "mixed", "passive")
            if (found := self.latents(kind))
        )
        lines = [
            text_table(columns, cells),
            f"latents: {latents}; KL above {_INFORMATIVE} nats in {self.n_informative}",
            f"n = {self.n_samples}, seed = {self.seed}",
            *(f"note: {note}" for note in self.notes),
        ]
        return "\n".join(lines)


def mean_against_sample(
    means: object,
    log_variances: object,
    factors: object = None,
    *,
    metrics: Sequence[MetricLike] | MetricLike = _METRICS,
    tolerance: float = 0.1,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    n_halves: int = 20,
    confidence: float = 0.95,
    seed: int = 0,
) -> MeanAgainstSample:
    r"""How much the scores of a VAE depend on taking its posterior's mean or a draw from it.

    A draw is :math:`z = \mu(x) + \sigma(x) \epsilon`, one for each row. Total correlation needs no
    draw: by the law of total covariance :math:`\mathrm{Cov}[z] = \mathrm{Cov}[\mu] +
    \mathrm{diag}\, E[\sigma^2]`, and both are those of the normal distribution with that
    covariance, :math:`TC = -\tfrac{1}{2} \log \det R` of the correlations R. Noise of their own
    leaves latents less correlated: TC of the draw is the smaller one.

    The kind of a latent follows from the mean and the variance over rows of :math:`\sigma_j^2(x)`.
    ``active``: the mean is at most ``tolerance`` and the variance below it. ``passive``: the mean
    is within ``tolerance`` of 1, the prior's, and the variance below it. ``mixed``: all others,
    which a latent is that is active for a part of the rows.

    Parameters
    ----------
    means, log_variances
        Arrays (rows, latents) of each latent's posterior mean and logarithm of its variance; at
        least two latents.
    factors
        Levels (rows, factors) of the same rows; without them there are no ``scores``.
    metrics
        What is read at the mean and at the draw, as of :func:`~unweave.metrics.evaluate`.
    tolerance
        Tolerance of the kinds of latents.
    factor_names, factor_kinds, n_halves, confidence
        As of :func:`~unweave.metrics.compare`, which gives each difference its interval. It is
        about the sample of rows, for one draw.
    seed
        Seed of the draw, and of all draws of halves.

    Raises
    ------
    ValueError
        If the arrays cannot be used, or differ in shape.

    References
    ----------
    Bonheme and Grzes (2021), https://arxiv.org/abs/2109.12679; Locatello et al. (2019),
    https://arxiv.org/abs/1811.12359, section 5.3.

    >>> rng = np.random.default_rng(0)
    >>> means = np.c_[rng.standard_normal((500, 2)), np.zeros(500)]
    >>> found = mean_against_sample(means, np.tile([-5.0, -5.0, 0.0], (500, 1)))
    >>> found.kinds, found.n_informative
    (('active', 'active', 'passive'), 2)
    """
    table = read_codes(means, min_latents=2)
    averages = table.values
    if not 0 < tolerance < 0.5:
        raise ValueError(
            f"tolerance must lie between 0 and 0.5, not {tolerance}: beyond it a latent could be "
            "active and passive"
        )
    logarithms = _matching(table, log_variances)
    variances = np.exp(logarithms)
    centred = averages.astype(np.float64)
    rng = np.random.default_rng([seed, 14])
    drawn = centred + np.sqrt(variances) * rng.standard_normal(centred.shape)
    scores = None
    if factors is not None:
        scores = compare(
            replace(table, values=centred),
            replace(table, values=drawn),
            factors,
            metrics=metrics,
            factor_names=factor_names,
            factor_kinds=factor_kinds,
            n_halves=n_halves,
            confidence=confidence,
            seed=seed,
        )
    spread = np.cov(centred, rowvar=False, bias=True)
    alive = np.delete(np.arange(centred.shape[1]), constant_columns(averages))
    kl = 0.5 * (centred**2 + variances - 1 - logarithms)
    return MeanAgainstSample(
        scores=scores,
        total_correlation_of_mean=_total_correlation(spread[np.ix_(alive, alive)]),
        total_correlation_of_sample=_total_correlation(spread + np.diag(variances.mean(axis=0))),
        kl=tuple(kl.mean(axis=0).tolist()),
        kinds=tuple(_kind(column, tolerance) for column in variances.T),
        n_samples=len(averages),
        seed=seed,
        notes=() if scores is None else scores.notes,
    )


def _matching(means: CodeTable, log_variances: object) -> np.ndarray:
    """The logarithms (rows, latents) of the variances, in the order of the rows of the means."""
    order = matching_rows(means.index, index_of(log_variances), "means", "log variances")
    found = check_codes(log_variances).astype(np.float64)
    if order is not None:
        found = found[order]
    if found.shape != means.values.shape:
        raise ValueError(
            f"log variances have shape {found.shape} and means {means.values.shape}: "
            "they must be of the same rows and latents"
        )
    if np.abs(found).max() > _LARGEST_LOG_VARIANCE:
        raise ValueError(
            f"log variances reach {np.abs(found).max():.3g} in size, more than "
            f"{_LARGEST_LOG_VARIANCE:g}: give logarithms, and not variances or deviations"
        )
    return found


def _total_correlation(covariance: np.ndarray) -> float:
    deviation = np.sqrt(np.diag(covariance))
    if len(deviation) < 2:
        return 0.0
    return gaussian_total_correlation(covariance / np.outer(deviation, deviation))


def _kind(variances: np.ndarray, tolerance: float) -> str:
    """Kind of a latent, by its posterior variances (rows,)."""
    mean = float(variances.mean())
    if variances.var() >= tolerance:
        return "mixed"
    if mean <= tolerance:
        return "active"
    return "passive" if abs(mean - 1) <= tolerance else "mixed"
