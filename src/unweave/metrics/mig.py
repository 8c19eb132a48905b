"""Mutual information gap (Chen et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unweave._check import (
    check_choice,
    check_codes_factors,
    check_factor_kinds,
    check_positive,
    constant_columns,
)
from unweave.metrics._information import (
    BINNINGS,
    ESTIMATORS,
    bin_codes,
    entropies,
    factor_levels,
    normalised_information,
    warn_of_outliers,
)
from unweave.metrics.score import Details, Score
from unweave.metrics.significance import Noise, with_noise

__all__ = ["mutual_information_gap", "top_gap"]


def mutual_information_gap(
    codes: object,
    factors: object,
    *,
    estimator: str = "disentanglement_lib",
    n_bins: int = 20,
    binning: str = "equal_width",
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""How far the latent that knows a factor best is ahead of the second best, in [0, 1].

    .. math:: \frac{1}{K} \sum_k \frac{I(z_{(1)}; v_k) - I(z_{(2)}; v_k)}{H(v_k)}

    Informations are in nats. The estimate depends on the bins and on the sample size: ``n_bins``
    bins cannot tell more levels apart than their number (see ``notes``), and with few rows the
    plug-in estimate is biased down for good codes, because the runner-up carries the larger share
    of the bias. Compare only scores of the same settings and sample size, or the adjusted ones.

    Parameters
    ----------
    codes, factors
        Arrays (samples, latents) and (samples, factors) of the same rows.
    estimator
        ``disentanglement_lib``, the plug-in estimate of that library and most papers;
        ``miller_madow``, its first-order bias correction; ``adjusted``, corrected exactly for
        chance (Vinh et al. 2010). The last one stands in ``adjusted`` beside the others, too.
    n_bins, binning
        Each latent is cut into this many bins of ``equal_width`` or by ``quantile``; outliers
        destroy the first and do nothing to the second.
    factor_names, factor_kinds
        One for each factor. Factors of kind ``continuous`` that are not whole numbers are binned.
    noise
        What to spend on chance level, p-value and interval; None for the bare value alone.
    seed
        Of all draws.

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
    codes, factors = check_codes_factors(codes, factors, min_latents=2, names=factor_names)
    estimator = check_choice("estimator", estimator, ESTIMATORS)
    binning = check_choice("binning", binning, BINNINGS)
    n_bins = check_positive("n_bins", n_bins, minimum=2)
    names = list(factor_names or (str(k) for k in range(factors.shape[1])))
    kinds = check_factor_kinds(factor_kinds, len(names)) if factor_kinds is not None else None

    whole, bins_of_whole = codes, bin_codes(codes, n_bins, binning)

    def gaps(codes, factors, estimator=estimator):
        # Permuted factors come with the same codes: half of the work is done.
        bins = bins_of_whole if codes is whole else bin_codes(codes, n_bins, binning)
        levels, n_levels = factor_levels(factors, kinds, n_bins)
        information, normalised = normalised_information(bins, levels, n_bins, n_levels, estimator)
        return top_gap(normalised), information

    if binning == "equal_width":
        warn_of_outliers(bins_of_whole, codes, n_bins)
    per_factor, information = gaps(codes, factors)
    adjusted: float | None = None
    if estimator == "adjusted":
        adjusted = float(per_factor.mean())
    elif noise is not None:
        adjusted = float(gaps(codes, factors, "adjusted")[0].mean())
    value = float(per_factor.mean())
    details = Details(
        per_factor=dict(zip(names, per_factor.tolist(), strict=True)),
        matrix=information,
        settings={
            "metric": "mutual_information_gap",
            "estimator": estimator,
            "n_bins": n_bins,
            "binning": binning,
        },
        n_samples=len(codes),
        seed=seed,
        dead_latents=tuple(constant_columns(codes).tolist()),
        adjusted=adjusted,
        notes=_notes(codes, factors, kinds, n_bins),
    )
    return Score(
        "mig",
        value,
        with_noise(details, value, lambda c, f: float(gaps(c, f)[0].mean()), codes, factors, noise),
    )


def top_gap(matrix: np.ndarray) -> np.ndarray:
    """Largest minus second largest of each column of (latents, factors)."""
    second, first = np.sort(matrix, axis=0)[-2:]
    return first - second


def _notes(codes, factors, kinds, n_bins: int) -> tuple[str, ...]:
    notes = []
    levels, n_levels = factor_levels(factors, kinds, n_bins)
    ceiling = np.minimum(1.0, np.log(n_bins) / entropies(levels, n_levels)).mean()
    if ceiling < 0.995:
        notes.append(
            f"{n_bins} bins cannot tell up to {n_levels.max()} levels apart: no code can score "
            f"above {ceiling:.3f} here"
        )
    dead = constant_columns(codes)
    if dead.size:
        notes.append(f"{dead.size} of {codes.shape[1]} latents never vary and know nothing")
    return tuple(notes)
