"""Mutual information gap from the posterior q(z|x), as Chen et al. (2018) define it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unweave._check import check_codes, constant_columns
from unweave._factors import check_codes_factors
from unweave._tables import index_of, matching_rows
from unweave.metrics._information import check_levels, entropies, factor_levels
from unweave.metrics._scale import Scale
from unweave.metrics.mig import top_gap
from unweave.metrics.score import Score

__all__ = ["posterior_mutual_information_gap"]

_REACH = 7.0  # standard deviations beyond which a normal density is left out: 1e-12 of its mass
_POINTS_PER_DEVIATION = 3.0
_MAX_POINTS = 20_000


def posterior_mutual_information_gap(
    means: object,
    log_variances: object,
    factors: object,
    *,
    factor_names: Sequence[str] | None = None,
) -> Score:
    r"""MIG whose latents are random: z_j | x is normal, as the encoder of a VAE says, in [0, 1].

    .. math:: I(z_j; v_k) = H(q(z_j)) - \frac{1}{|v_k|} \sum_v H(q(z_j | v_k = v)),
       \quad q(z_j | v) = \text{mean of } q(z_j | x) \text{ over the rows } x \text{ with } v_k = v

    The rows given are the whole population, each as likely: give the full grid, or a sample of it.
    Where the paper samples z, the entropies of the mixtures are integrated here along a line, so
    that there is no sampling noise, and the only error is that of the quadrature (below 1e-6 nats
    for three points per smallest deviation). The paper leaves out the factor shape: drop that
    column to compare with it. Noisy codes score lower here than means do in the histogram MIG; the
    two are not comparable.

    Parameters
    ----------
    means, log_variances
        Arrays (rows, latents) of each latent's posterior mean and logarithm of its variance.
    factors
        Levels (rows, factors) of the same rows.
    factor_names
        One for each factor.

    Raises
    ------
    ValueError
        If the arrays cannot be used, or differ in shape.

    References
    ----------
    Chen et al. (2018), https://arxiv.org/abs/1802.04942, equations 5 and 6 and appendix B.

    >>> factors = np.stack(np.meshgrid([0, 1], [0, 1, 2]), -1).reshape(-1, 2)
    >>> sharp = np.full(factors.shape, -10.0)
    >>> round(float(posterior_mutual_information_gap(factors, sharp, factors)), 6)
    1.0
    """
    index = index_of(means)
    order = matching_rows(index, index_of(log_variances), "means", "log variances")
    averages, table = check_codes_factors(means, factors, min_latents=2, names=factor_names)
    variances = check_codes(log_variances)
    if order is not None:
        variances = variances[order]
    if variances.shape != averages.shape:
        raise ValueError(
            f"means have shape {averages.shape} and log variances {variances.shape}: they must "
            "be of the same rows and latents"
        )
    check_levels(table.values)
    centred = Scale.of(averages, keep=("scale",)).apply(averages)
    levels, n_levels = factor_levels(table.values)
    deviations = np.exp(0.5 * variances.astype(np.float64))
    information = np.stack(
        [
            _information(mean, deviation, levels, n_levels)
            for mean, deviation in zip(centred.T.astype(np.float64), deviations.T, strict=True)
        ]
    )
    gaps = top_gap(information / entropies(levels, n_levels))
    return Score(
        "posterior_mig",
        float(gaps.mean()),
        per_factor=dict(zip(table.labels, gaps.tolist(), strict=True)),
        matrix=information,
        settings={"metric": "posterior_mutual_information_gap", "estimator": "chen2018"},
        n_samples=len(averages),
        seed=0,
        dead_latents=tuple(constant_columns(averages).tolist()),
        notes=table.notes,
        levels={table.labels[k]: words for k, words in table.words.items()},
    )


def _information(mean, deviation, levels, n_levels) -> np.ndarray:
    """Mutual information (factors,) of one latent with each factor, in nats."""
    from unweave.metrics import _kernels

    low = (mean - _REACH * deviation).min()
    high = (mean + _REACH * deviation).max()
    n_points = int(np.ceil((high - low) / deviation.min() * _POINTS_PER_DEVIATION)) + 2
    if n_points > _MAX_POINTS:
        raise ValueError(
            f"a latent's means spread over {(high - low) / deviation.min():.0f} times its smallest "
            "posterior deviation: its posterior is a point, so use mutual_information_gap"
        )
    grid = np.linspace(low, high, n_points)
    sums = _kernels.mixture_densities(mean, deviation, levels, n_levels, grid, _REACH)
    counts = np.concatenate(
        [np.bincount(row, minlength=n) for row, n in zip(levels, n_levels, strict=True)]
    )
    step = grid[1] - grid[0]
    conditional = _entropy(sums / counts[:, None], step)
    marginal = _entropy(sums[: n_levels[0]].sum(axis=0, keepdims=True) / len(mean), step)[0]
    first = np.concatenate([[0], np.cumsum(n_levels)[:-1]])
    return np.maximum(marginal - np.add.reduceat(conditional * counts, first) / len(mean), 0.0)


def _entropy(densities: np.ndarray, step: float) -> np.ndarray:
    safe = np.where(densities > 0, densities, 1.0)
    return -np.sum(densities * np.log(safe), axis=1) * step
