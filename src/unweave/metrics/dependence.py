"""Dependence between latents, measured without factors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unweave._check import check_choice, check_positive, constant_columns
from unweave.metrics._information import BINNINGS, bin_codes, latent_information, warn_of_outliers
from unweave.metrics._predictors import scaled_like
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement
from unweave.metrics.scores import Scores

__all__ = ["LatentDependence", "gaussian_total_correlation", "latent_dependence"]

_CONVENTIONS = ("standardised", "disentanglement_lib")
_SINGULAR = (
    "some latents are linear functions of others: the total correlation is infinite, and what is "
    "given a lower bound"
)


@dataclass(frozen=True, kw_only=True)
class LatentDependence(Metric):
    """Total correlation, Wasserstein distance and mutual information of latents."""

    names = ("total_correlation", "wasserstein", "latent_mi")
    titles = ("total correlation", "Wasserstein dependence", "latent MI")
    family = "dependence"
    range = "from 0, which is best"
    bounds: ClassVar[Mapping[str, float | None]] = dict.fromkeys(names)
    min_latents = 2
    min_alive = 2
    needs_factors = False
    best_when_small = True
    cost = 5

    convention: str = "standardised"
    """standardised or disentanglement_lib."""
    n_bins: int = 20
    """Bins of each latent."""
    binning: str = "equal_width"
    """equal_width or quantile."""

    def __post_init__(self) -> None:
        check_choice("convention", self.convention, _CONVENTIONS)
        check_choice("binning", self.binning, BINNINGS)
        check_positive("n_bins", self.n_bins, minimum=2)

    @property
    def keep(self) -> tuple[str, ...]:
        """The distance of disentanglement_lib depends on the scale."""
        return () if self.convention == "standardised" else ("scale",)

    def notes(self, sample: Sample) -> tuple[str, ...]:
        """That the total correlation is infinite, if it is."""
        codes = sample.codes
        if self.binning == "equal_width":
            warn_of_outliers(bin_codes(codes, self.n_bins), codes, self.n_bins)
        covariance = _covariance(codes)
        singular = np.linalg.cond(covariance) > 1 / (np.finfo(float).eps * len(covariance))
        return (_SINGULAR,) if singular else ()

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """From the covariance, and from the bins of each two latents that vary."""
        codes = np.delete(sample.codes, constant_columns(sample.codes), axis=1)
        bins = bin_codes(codes, self.n_bins, self.binning)
        return _measured(codes, bins, self.n_bins, self.convention)


def latent_dependence(
    codes: object,
    *,
    convention: str = "standardised",
    n_bins: int = 20,
    binning: str = "equal_width",
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Scores:
    r"""How dependent latents are: ``total_correlation``, ``wasserstein``, ``latent_mi``; 0 is best.

    .. math:: TC = \tfrac{1}{2} \Big( \sum_j \log \Sigma_{jj} - \log \det \Sigma \Big), \quad
        W = 2 \,\mathrm{tr}\, \Sigma - 2 \,\mathrm{tr}\, (\Sigma D)^{1/2}

    are the total correlation in nats, and the squared Wasserstein-2 distance from the product of
    the marginals, of the normal distribution with the codes' covariance :math:`\Sigma` of diagonal
    D. ``latent_mi`` is the mean mutual information in nats of two latents in bins. None of them
    needs factors, and none tells whether latents mean anything: noise is as independent as can be.

    Chance is the codes with each latent permuted by itself; the p-value asks whether latents are
    more dependent than that. Latents that never vary are left out of all three. If latents are
    linear functions of each other, TC is infinite: then what double precision leaves of the
    determinant is given, a lower bound, with a note.

    Parameters
    ----------
    codes
        Array (samples, latents), at least two of which vary.
    convention
        ``standardised`` measures W on latents of deviation 1; ``disentanglement_lib`` on the codes
        as they are. ``extras["normalised"]`` is W over the trace.
    n_bins, binning
        Options of ``latent_mi``, as of :func:`~unweave.metrics.mutual_information_gap`.
    noise, seed
        As there.

    Raises
    ------
    ValueError
        If the codes cannot be used, or fewer than two latents vary.

    References
    ----------
    Locatello et al. (2019), https://arxiv.org/abs/1811.12359, section 5.3.

    >>> codes = np.stack(np.meshgrid(range(4), range(5)), -1).reshape(-1, 2)
    >>> {name: round(abs(float(score)), 9) for name, score in
    ...  latent_dependence(codes, noise=None).items()}
    {'total_correlation': 0.0, 'wasserstein': 0.0, 'latent_mi': 0.0}
    """
    metric = LatentDependence(convention=convention, n_bins=n_bins, binning=binning)
    return Scores(score(metric, Sample.of(codes, seed=seed), noise))


def _covariance(codes: np.ndarray) -> np.ndarray:
    """Covariance (latents, latents) of the latents that vary, scaled to deviation 1."""
    (scaled,) = scaled_like(np.delete(codes, constant_columns(codes), axis=1))
    return scaled.T @ scaled / len(scaled)


def gaussian_total_correlation(correlation: np.ndarray) -> float:
    """Total correlation in nats, from 0, of a normal distribution; a bound if it is infinite.

    From its correlations (latents, latents); eigenvalues of 0 count as rounding leaves them.
    """
    floor = np.finfo(float).eps * len(correlation)
    roots = np.maximum(np.linalg.eigvalsh(correlation), floor)
    return float(max(-0.5 * np.sum(np.log(roots)), 0.0))


def _measured(codes, bins, n_bins: int, convention: str) -> dict[str, Measurement]:
    covariance = np.atleast_2d(np.cov(codes, rowvar=False))
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    total = gaussian_total_correlation(correlation)
    measured = correlation if convention == "standardised" else covariance
    scale = np.sqrt(np.diag(measured))
    # The trace of (S D)^(1/2) is that of the symmetric (D^(1/2) S D^(1/2))^(1/2).
    roots = np.linalg.eigvalsh(measured * np.outer(scale, scale))
    trace = np.trace(measured)
    distance = max(2 * trace - 2 * np.sum(np.sqrt(np.maximum(roots, 0.0))), 0.0)
    information = latent_information(bins, n_bins)
    apart = information[~np.eye(len(information), dtype=bool)]
    return {
        "total_correlation": Measurement(total, matrix=correlation),
        "wasserstein": Measurement(
            float(distance),
            matrix=measured,
            extras={"normalised": float(distance / trace)},
            size=float(trace),
        ),
        "latent_mi": Measurement(float(apart.mean()), matrix=information),
    }
