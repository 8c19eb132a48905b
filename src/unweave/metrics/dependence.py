"""Dependence between latents, measured without factors."""

from __future__ import annotations

import numpy as np

from unweave._check import check_choice, check_positive, constant_columns, read_codes
from unweave.metrics._information import BINNINGS, bin_codes, latent_information, warn_of_outliers
from unweave.metrics._predictors import scaled_like
from unweave.metrics._scale import Scale
from unweave.metrics.score import Reading, Scores
from unweave.metrics.significance import Noise, Subject, score_all

__all__ = ["latent_dependence"]

_CONVENTIONS = ("standardised", "disentanglement_lib")
_SINGULAR = (
    "some latents are linear functions of others: the total correlation is infinite, and what is "
    "given a lower bound"
)


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
        Of ``latent_mi``, as of :func:`~unweave.metrics.mutual_information_gap`.
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
    given = read_codes(codes)
    check_choice("convention", convention, _CONVENTIONS)
    check_choice("binning", binning, BINNINGS)
    n_bins = check_positive("n_bins", n_bins, minimum=2)
    scale = Scale.of(given.values, () if convention == "standardised" else ("scale",))
    notes, codes = scale.notes(given.precisions), scale.apply(given.values)
    dead = constant_columns(codes)
    if codes.shape[1] - dead.size < 2 or len(codes) < 2:
        raise ValueError(
            f"{codes.shape[1] - dead.size} of {codes.shape[1]} latents vary in {len(codes)} rows: "
            "dependence needs two that do; give more rows or other codes"
        )
    if binning == "equal_width":
        warn_of_outliers(bin_codes(codes, n_bins), codes, n_bins)
    covariance = _covariance(codes)
    singular = np.linalg.cond(covariance) > 1 / (np.finfo(float).eps * len(covariance))
    subject = Subject(
        codes,
        np.arange(len(codes))[:, None],
        [],
        {"convention": convention, "n_bins": n_bins, "binning": binning},
        seed,
        notes=(*notes, _SINGULAR) if singular else notes,
        tops=dict.fromkeys(("total_correlation", "wasserstein", "latent_mi")),
        thin=5,
        shuffle=_independent,
        perfect=_independent(codes, codes, np.random.default_rng([seed, 9]))[0],
    )

    def measure(codes, factors) -> dict[str, Reading]:
        codes = np.delete(codes, constant_columns(codes), axis=1)
        bins = bin_codes(codes, n_bins, binning)
        return _read(codes, bins, n_bins, convention)

    return Scores(score_all(subject, measure, noise))


def _independent(codes, factors, rng):
    """Each latent permuted by itself."""
    return rng.permuted(codes, axis=0), factors


def _covariance(codes: np.ndarray) -> np.ndarray:
    """Covariance (latents, latents) of the latents that vary, scaled to deviation 1."""
    (scaled,) = scaled_like(np.delete(codes, constant_columns(codes), axis=1))
    return scaled.T @ scaled / len(scaled)


def _read(codes, bins, n_bins: int, convention: str) -> dict[str, Reading]:
    covariance = np.atleast_2d(np.cov(codes, rowvar=False))
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    floor = np.finfo(float).eps * len(correlation)
    total = -0.5 * np.sum(np.log(np.maximum(np.linalg.eigvalsh(correlation), floor)))
    measured = correlation if convention == "standardised" else covariance
    scale = np.sqrt(np.diag(measured))
    # The trace of (S D)^(1/2) is that of the symmetric (D^(1/2) S D^(1/2))^(1/2).
    roots = np.linalg.eigvalsh(measured * np.outer(scale, scale))
    trace = np.trace(measured)
    distance = max(2 * trace - 2 * np.sum(np.sqrt(np.maximum(roots, 0.0))), 0.0)
    information = latent_information(bins, n_bins)
    apart = information[~np.eye(len(information), dtype=bool)]
    return {
        "total_correlation": Reading(float(max(total, 0.0)), matrix=correlation),
        "wasserstein": Reading(
            float(distance),
            matrix=measured,
            extras={"normalised": float(distance / trace)},
            size=float(trace),
        ),
        "latent_mi": Reading(float(apart.mean()), matrix=information),
    }
