"""Bins, levels and the mutual information between them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln

from unweave._factors import FactorTable
from unweave.metrics._groups import Groups

__all__ = [
    "BINNINGS",
    "ESTIMATORS",
    "InformationTable",
    "bin_codes",
    "binned_table",
    "check_levels",
    "kinds_of_fractions",
    "takes_any_value",
    "entropies",
    "expected_information",
    "factor_levels",
    "latent_information",
    "neighbour_table",
    "warn_of_outliers",
]

ESTIMATORS = ("disentanglement_lib", "miller_madow", "adjusted", "ksg")
BINNINGS = ("equal_width", "quantile")
_ON_EDGE = 2.0**-22  # of the range: rounding of single precision, or of double at offsets of 1e9
_NOISE = 1e-10  # deviations
_TIE_BREAKING = 1e-6  # far more than rounding leaves, and far less than rounded codes differ by
_NOTHING = 1e-12  # nats: rounding error of sums over all rows


@dataclass(frozen=True)
class InformationTable:
    """What each latent knows of each factor, in nats."""

    information: np.ndarray
    """(latents, factors)"""
    normalised: np.ndarray
    """The same over the factor's entropy."""
    factor_entropy: np.ndarray
    """(factors,)"""
    alive: np.ndarray
    """(latents,) whether the latent varies, or fills more than one bin if it was binned."""
    code_entropy: np.ndarray | None = None
    """(latents,), of the binned codes; None where nothing was binned."""
    n_bins: int | None = None
    names: tuple[str, ...] | None = None
    """(latents,) what the rows are called, where they are groups of latents."""

    @property
    def joint_entropy(self) -> np.ndarray:
        """Entropy (latents, factors) of each pair of binned latent and factor."""
        if self.code_entropy is None:
            raise ValueError("codes that are not binned have no entropy: choose another estimator")
        return self.code_entropy[:, None] + self.factor_entropy - self.information


def bin_codes(codes: np.ndarray, n_bins: int, binning: str = "equal_width") -> np.ndarray:
    """Bin (latents, samples) of each of ``codes`` (samples, latents).

    ``equal_width`` has the edges of ``numpy.histogram``, as disentanglement_lib does; a code that
    lies below an edge by no more than rounding counts as on it, so that levels that coincide with
    edges stay whole. ``quantile`` puts as many rows into each bin as ties allow: its edges are
    codes themselves.
    """
    from unweave.metrics import _kernels

    columns = np.ascontiguousarray(codes.T)
    n = columns.shape[1]
    if binning == "quantile":
        # Quantile i lies between two codes, of which the upper one bounds the same rows.
        ranks = -(-np.arange(n_bins) * (n - 1) // n_bins)
        lower = np.partition(columns, np.unique(ranks), axis=1)[:, ranks]
        return _kernels.digitise(columns, lower)
    low, high = (ends.astype(np.float64) for ends in (columns.min(axis=1), columns.max(axis=1)))
    constant = low == high
    low, high = np.where(constant, low - 0.5, low), np.where(constant, high + 0.5, high)
    edges = np.linspace(low, high, n_bins + 1, axis=-1)[:, :-1]
    edges[:, 1:] -= _ON_EDGE * (high - low)[:, None]
    return _kernels.digitise(columns, np.ascontiguousarray(edges))


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
            stacklevel=6,  # past `score` and the metric
        )


def factor_levels(
    factors: np.ndarray, kinds: Sequence[str] | None = None, n_bins: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """Levels (factors, samples) from 0 on without gaps, and how many each factor has.

    A continuous factor is cut into ``n_bins`` bins of equal width.
    """
    levels = np.empty(factors.T.shape, dtype=np.int32)
    n_levels = np.empty(factors.shape[1], dtype=np.int64)
    for k in range(factors.shape[1]):
        column = factors[:, k]
        if kinds is not None and kinds[k] == "continuous":
            column = bin_codes(column[:, None].astype(np.float64), n_bins)[0]
        n_levels[k], levels[k] = _ranked(column)
    return levels, n_levels


def check_levels(factors: np.ndarray, kinds: Sequence[str] | None = None, n_bins: int = 20) -> None:
    """Refuse factors of fractions that take so many values that they cannot be levels.

    To be asked of all rows: a part of them has fewer of each value.

    Raises
    ------
    ValueError
        If there is such a factor, and it is not declared continuous.
    """
    for k in range(factors.shape[1]):
        is_binned = kinds is not None and kinds[k] == "continuous"
        if is_binned or not takes_any_value(factors[:, k], n_bins):
            continue
        raise ValueError(
            f"factor {k} takes {len(np.unique(factors[:, k]))} values in {len(factors)} rows: "
            "mutual information needs levels; declare its kind 'continuous' to have it binned, or "
            "bin it yourself"
        )


def takes_any_value(column: np.ndarray, n_bins: int = 20) -> bool:
    """Whether a factor (rows,) of fractions takes so many values that they cannot be levels."""
    if column.dtype.kind != "f" or (column == np.round(column)).all():
        return False
    return len(np.unique(column)) > max(n_bins, len(column) // 2)


def kinds_of_fractions(
    table: FactorTable, kinds: Sequence[str | None] | None, rows: np.ndarray | None = None
) -> tuple[list[str | None], list[str]]:
    """Kinds of factors, of which those that can be nothing else are continuous, and notes on them.

    Parameters
    ----------
    table
        The factors.
    kinds
        Declared kinds, which stay as they are; None, or None among them, is not declared.
    rows
        Rows that are scored; by default all.
    """
    found: list[str | None] = list(kinds or [None] * table.values.shape[1])
    notes = []
    for k, kind in enumerate(found):
        column = table.values[:, k] if rows is None else table.values[rows, k]
        if kind is None and k not in table.words and takes_any_value(column):
            found[k] = "continuous"
            notes.append(
                f"factor {table.labels[k]} holds {len(np.unique(column)):,} different fractions in "
                f"{len(column):,} rows, and was taken to be continuous, which scores cut into 20 "
                "bins: to say so, or otherwise, give factor_kinds, an array of the .npz (as "
                "ordinal, continuous), with a kind for each factor"
            )
    return found, notes


def _ranked(column: np.ndarray) -> tuple[int, np.ndarray]:
    """How many values there are, and the rank of each row's value among them."""
    # Python's whole numbers: a difference of 64-bit ones may not fit in 64 bits.
    if column.dtype.kind in "iu" and int(column.max()) - int(column.min()) < 4 * len(column):
        offset = column - column.min()
        present = np.bincount(offset) > 0
        return int(present.sum()), (np.cumsum(present) - 1)[offset]
    values, ranks = np.unique(column, return_inverse=True)
    return len(values), ranks


def entropies(levels: np.ndarray, n_levels: np.ndarray) -> np.ndarray:
    """Entropy (factors,) in nats of each factor from its counts."""
    n = levels.shape[1]
    counts = _histograms(levels, int(n_levels.max()))
    return np.log(n) - _sum_c_log_c(counts) / n


def binned_table(
    bins: np.ndarray,
    levels: np.ndarray,
    n_bins: int,
    n_levels: np.ndarray,
    estimator: str = "disentanglement_lib",
    names: tuple[str, ...] | None = None,
) -> InformationTable:
    r"""Mutual informations of bins (latents, samples) and levels (factors, samples).

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
    code_entropy, factor_entropy = np.log(n) - code_terms / n, np.log(n) - factor_terms / n
    information = np.log(n) + (joint - code_terms[:, None] - factor_terms) / n
    code_cells, factor_cells = (code_counts > 0).sum(axis=1), (factor_counts > 0).sum(axis=1)
    # What is independent knows nothing, exactly: ratios are taken of what is left of it.
    information[information < _NOTHING] = 0.0
    if estimator == "miller_madow":
        cells = code_cells[:, None] + factor_cells - filled
        information = information + (cells - 1) / (2 * n)
        code_entropy = code_entropy + (code_cells - 1) / (2 * n)
        factor_entropy = factor_entropy + (factor_cells - 1) / (2 * n)
    # A lone level, as small samples have, holds nothing to know.
    normalised = information / np.where(factor_entropy > 0, factor_entropy, 1.0)
    if estimator == "adjusted":
        expected = expected_information(code_counts, factor_counts, n)
        room = factor_entropy - expected
        information = information - expected
        # No room: as many levels as rows, where every code is a perfect guess and says nothing.
        normalised = np.where(room > 1e-9, information / np.maximum(room, 1e-9), 0.0)
    alive = code_cells > 1
    return InformationTable(
        information, normalised, factor_entropy, alive, code_entropy, n_bins, names
    )


def neighbour_table(
    codes: np.ndarray,
    levels: np.ndarray,
    n_levels: np.ndarray,
    n_neighbours: int,
    groups: Groups | None = None,
) -> InformationTable:
    r"""Mutual informations of continuous codes (samples, latents) and levels (factors, samples).

    .. math:: I = \psi(n) + \langle \psi(k) \rangle - \langle \psi(N_v) \rangle
        - \langle \psi(m) \rangle

    For each row, m counts the rows nearer than its k-th neighbour among the N_v rows of its level
    (Ross 2014, https://doi.org/10.1371/journal.pone.0087357, equation 2; of the family of Kraskov,
    Stögbauer and Grassberger). Rows that are alone in their level are left out. Noise
    separates equal codes, without which they have no neighbours: of 1e-10 deviations, as in
    scikit-learn, and of a millionth in latents most of whose codes are equal to another. There the
    smaller noise would not hide the rounding of codes that once had an offset.

    With ``groups``, of all latents of a group that vary together: the distance is then the largest
    of those along its latents, each in its deviations.
    """
    from unweave.metrics import _kernels

    columns = np.ascontiguousarray(codes.T, dtype=np.float64)
    spread = columns.std(axis=1, keepdims=True)
    jitter = np.random.default_rng(0).standard_normal(columns.shape[1])
    tied = (np.diff(np.sort(columns, axis=1), axis=1) == 0).mean(axis=1, keepdims=True) > 0.5
    columns = columns + np.where(tied, _TIE_BREAKING, _NOISE) * spread * jitter
    ordered = np.argsort(columns, axis=1, kind="stable").astype(np.int64)
    psi = np.concatenate([[0.0], digamma(np.arange(1, len(codes) + 1))])
    information = _kernels.neighbour_information(
        columns, ordered, levels, n_levels, n_neighbours, psi
    )
    alive = columns.min(axis=1) < columns.max(axis=1)
    information[~alive[:, None] | (information < _NOTHING)] = 0.0
    entropy = entropies(levels, n_levels)
    if groups is None:
        return InformationTable(information, information / entropy, entropy, alive)
    spread = np.where(alive, spread[:, 0], 1.0)[:, None]
    noise = np.random.default_rng(0).standard_normal(columns.shape)
    apart = (codes.T / spread) + np.where(tied, _TIE_BREAKING, _NOISE) * noise
    information = np.stack(
        [
            _of_group([j for j in group if alive[j]], information, apart, levels, n_neighbours)
            for group in groups.members
        ]
    )
    information[information < _NOTHING] = 0.0
    return InformationTable(
        information, information / entropy, entropy, groups.any_of(alive), names=groups.names
    )


def _of_group(
    latents: list[int],
    information: np.ndarray,
    columns: np.ndarray,
    levels: np.ndarray,
    n_neighbours: int,
) -> np.ndarray:
    """What ``latents`` know together of each factor (factors,), by Ross's estimate."""
    if not latents:
        return np.zeros(len(levels))
    if len(latents) == 1:
        return information[latents[0]]
    points = np.ascontiguousarray(columns[latents].T)
    return np.array([_joint_neighbours(points, row, n_neighbours) for row in levels])


def _joint_neighbours(points: np.ndarray, levels: np.ndarray, n_neighbours: int) -> float:
    """Ross's estimate in nats for ``points`` (samples, dimensions), in the maximum norm."""
    from scipy.spatial import KDTree

    sizes = np.bincount(levels)
    paired = np.flatnonzero(sizes[levels] > 1)
    if not paired.size:
        return 0.0
    whole, total = KDTree(points[paired]), 0.0
    for level in np.flatnonzero(sizes > 1):
        own = points[levels == level]
        near = min(n_neighbours, len(own) - 1)
        distances, _ = KDTree(own).query(own, k=[near + 1], p=np.inf)
        radius = np.nextafter(distances[:, 0], 0.0)
        inside = whole.query_ball_point(own, radius, p=np.inf, return_length=True)
        total += len(own) * (digamma(near) - digamma(len(own))) - digamma(inside).sum()
    return max(float(digamma(len(paired)) + total / len(paired)), 0.0)


def latent_information(bins: np.ndarray, n_bins: int) -> np.ndarray:
    """Plug-in mutual information (latents, latents) in nats of each two latents' bins.

    The diagonal is each latent's entropy.
    """
    from unweave.metrics import _kernels

    n = bins.shape[1]
    small = bins.astype(np.uint8 if n_bins <= 256 else np.uint16)
    terms = _kernels.pair_terms(small, n_bins)
    own = np.diagonal(terms)
    return np.maximum(np.log(n) + (terms - own[:, None] - own) / n, 0.0)


def expected_information(code_counts: np.ndarray, factor_counts: np.ndarray, n: int) -> np.ndarray:
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
