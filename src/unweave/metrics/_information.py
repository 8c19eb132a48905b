"""Bins, levels and the mutual information between them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln

__all__ = [
    "ESTIMATORS",
    "bin_codes",
    "entropies",
    "factor_levels",
    "normalised_information",
]

ESTIMATORS = ("disentanglement_lib", "miller_madow", "adjusted")
BINNINGS = ("equal_width", "quantile")


def bin_codes(codes: np.ndarray, n_bins: int, binning: str = "equal_width") -> np.ndarray:
    """Bin (latents, samples) of each of ``codes`` (samples, latents).

    ``equal_width`` has the edges of ``numpy.histogram``, computed in the precision of the codes,
    as disentanglement_lib does; ``quantile`` puts as many rows into each bin as ties allow.
    """
    from unweave.metrics import _kernels

    columns = np.ascontiguousarray(codes.T)
    if binning == "quantile":
        inner = np.quantile(columns, np.arange(1, n_bins) / n_bins, axis=1).T
        lower = np.concatenate([columns.min(axis=1, keepdims=True), inner], axis=1)
        return _kernels.digitise(columns, lower.astype(columns.dtype))
    low, high = columns.min(axis=1), columns.max(axis=1)
    dead = low == high
    half = columns.dtype.type(0.5)
    edges = np.linspace(
        np.where(dead, low - half, low),
        np.where(dead, high + half, high),
        n_bins + 1,
        axis=-1,
        dtype=columns.dtype,
    )
    return _kernels.digitise(columns, np.ascontiguousarray(edges[:, :-1]))


def warn_of_outliers(bins: np.ndarray, codes: np.ndarray, n_bins: int) -> None:
    """Warn when a few far rows have pushed all others of a latent into one bin."""
    counts = _histograms(bins, n_bins)
    full = counts.max(axis=1) >= 0.99 * bins.shape[1]
    crowded = [int(j) for j in np.flatnonzero(full) if len(np.unique(codes[:, j])) > n_bins]
    if crowded:
        warnings.warn(
            f"99 % of the rows of latents {crowded[:10]} share one of {n_bins} bins of equal "
            "width: outliers stretch the range and destroy the score; use binning='quantile', or "
            "remove them",
            UserWarning,
            stacklevel=3,
        )


def factor_levels(
    factors: np.ndarray, kinds: Sequence[str] | None = None, n_bins: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """Levels (factors, samples) from 0 on without gaps, and how many each factor has.

    A continuous factor is cut into ``n_bins`` bins of equal width.

    Raises
    ------
    ValueError
        If a factor that is not declared continuous takes so many values that they cannot be levels.
    """
    levels = np.empty(factors.T.shape, dtype=np.int32)
    n_levels = np.empty(factors.shape[1], dtype=np.int64)
    for k in range(factors.shape[1]):
        column = factors[:, k]
        if kinds is not None and kinds[k] == "continuous" and factors.dtype.kind == "f":
            column = bin_codes(column[:, None], n_bins)[0]
        n_levels[k], levels[k] = _ranked(column)
        if factors.dtype.kind == "f" and n_levels[k] > max(n_bins, len(column) // 2):
            raise ValueError(
                f"factor {k} takes {n_levels[k]} values in {len(column)} rows: mutual information "
                "needs levels; declare its kind 'continuous' to have it binned, or bin it yourself"
            )
    return levels, n_levels


def _ranked(column: np.ndarray) -> tuple[int, np.ndarray]:
    """How many values there are, and the rank of each row's value among them."""
    if column.dtype.kind in "iu" and np.ptp(column) < 4 * len(column):  # no need to sort
        offset = column - column.min()
        present = np.bincount(offset) > 0
        return int(present.sum()), (np.cumsum(present) - 1)[offset]
    values, ranks = np.unique(column, return_inverse=True)
    return len(values), ranks


def entropies(levels: np.ndarray, n_levels: np.ndarray, *, miller_madow: bool = False):
    """Entropy (factors,) in nats of each factor from its counts."""
    n = levels.shape[1]
    counts = _histograms(levels, int(n_levels.max()))
    entropy = np.log(n) - _sum_c_log_c(counts) / n
    return entropy + ((counts > 0).sum(axis=1) - 1) / (2 * n) if miller_madow else entropy


def normalised_information(
    bins: np.ndarray,
    levels: np.ndarray,
    n_bins: int,
    n_levels: np.ndarray,
    estimator: str = "disentanglement_lib",
) -> tuple[np.ndarray, np.ndarray]:
    r"""Mutual information (latents, factors) in nats, and the same over the factor's entropy.

    ``disentanglement_lib`` is the plug-in estimate; ``miller_madow`` adds (cells - 1) / 2n to each
    entropy, for the cells that are filled; ``adjusted`` is :math:`(I - E)/(H - E)` with the exact
    mean E over all permutations of the rows, so that chance is 0 and a function of the factor is 1.
    """
    from unweave.metrics import _kernels

    n = bins.shape[1]
    joint, filled = _kernels.joint_terms(bins, levels, n_bins, n_levels)
    code_counts = _histograms(bins, n_bins)
    factor_counts = _histograms(levels, int(n_levels.max()))
    code_terms, factor_terms = _sum_c_log_c(code_counts), _sum_c_log_c(factor_counts)
    information = np.log(n) + (joint - code_terms[:, None] - factor_terms) / n
    information = np.maximum(information, 0.0)
    if estimator == "miller_madow":
        cells = (code_counts > 0).sum(axis=1)[:, None] + (factor_counts > 0).sum(axis=1) - filled
        information = information + (cells - 1) / (2 * n)
        return information, information / entropies(levels, n_levels, miller_madow=True)
    entropy = entropies(levels, n_levels)
    if estimator == "disentanglement_lib":
        return information, information / entropy
    expected = _expected_information(code_counts, factor_counts, n)
    room = entropy - expected
    # No room: as many levels as rows, where every code is a perfect guess and says nothing.
    adjusted = np.where(room > 1e-9, (information - expected) / np.maximum(room, 1e-9), 0.0)
    return information - expected, adjusted


def _expected_information(code_counts: np.ndarray, factor_counts: np.ndarray, n: int) -> np.ndarray:
    """Mean information (latents, factors) in nats over all permutations of the rows.

    It is a sum over cells that depends on each cell's two margins alone, so each pair of margins is
    worked out once, and counted as often as it occurs.
    """
    from unweave.metrics import _kernels

    margins, code_margins = _occurrences(code_counts)
    columns, factor_margins = _occurrences(factor_counts)
    log_factorial = gammaln(np.arange(n + 1) + 1.0)
    cells = _kernels.expected_information(margins, columns, n, log_factorial)
    return code_margins @ cells @ factor_margins.T


def _occurrences(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers in ``counts`` (rows, bins), and how often (rows, numbers) each occurs."""
    numbers, which = np.unique(counts, return_inverse=True)
    return numbers, _histograms(which.reshape(counts.shape), len(numbers)).astype(np.float64)


def _histograms(bins: np.ndarray, n_bins: int) -> np.ndarray:
    """Counts (rows, bins) int64 of whole numbers (rows, samples)."""
    rows = len(bins)
    flat = (bins + np.arange(rows, dtype=np.int64)[:, None] * n_bins).ravel()
    return np.bincount(flat, minlength=rows * n_bins).reshape(rows, n_bins)


def _sum_c_log_c(counts: np.ndarray) -> np.ndarray:
    return np.sum(counts * np.log(np.maximum(counts, 1)), axis=1)
