"""Whether the factors that codes are scored on depend on each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from unweave._factors import LEVELS_OF_CIRCLE
from unweave.metrics._information import (
    bin_codes,
    expected_information,
    factor_levels,
    latent_information,
)
from unweave.metrics._table import p_text
from unweave.metrics.sample import Sample

__all__ = ["FactorDependence", "factor_dependence"]

_LEAST_SHARE = 0.01  # of the smaller entropy
_LEAST_P = 0.01
_N_PERMUTATIONS = 99
_MOST_ROWS = 5_000  # that permutations are drawn from
_MOST_LEVELS = 40  # of a factor with an order that is not cut into bins
_N_BINS = 20
_MOST_CATEGORIES = 500
_ROWS_PER_CATEGORY = 5


@dataclass(frozen=True)
class FactorDependence:
    """The two factors that depend on each other most.

    Attributes
    ----------
    first, second
        Their names.
    share
        Their mutual information over the smaller of their two entropies, with chance taken out: 0
        if they are independent, 1 if one of them follows from the other.
    p_value
        How likely permuted factors have a pair that shares as much; at least 0.01.
    """

    first: str
    second: str
    share: float
    p_value: float

    def note(self, assuming: Sequence[str]) -> str:
        """A sentence for the reader of the scores ``assuming`` that factors are independent."""
        return (
            f"factors {self.first} and {self.second} depend on each other: they share "
            f"{100 * self.share:.0f} % of the smaller entropy beyond chance (p = "
            f"{p_text(self.p_value)}). These scores assume independent factors, and may be low for "
            f"a perfect code or hide that a latent mixes both: {', '.join(assuming)}. Take t_mex, "
            "which does not, or rows in which factors are independent"
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and text."""
        return asdict(self)


def factor_dependence(sample: Sample) -> FactorDependence | None:
    r"""The pair of factors that depend on each other most; None if no pair does noticeably.

    .. math:: \frac{I(v_a; v_b) - E}{\min(H(v_a), H(v_b)) - E}

    is measured for each pair, where E is the exact mean of the plug-in information over
    permutations (Vinh et al. 2010). A pair is reported if it shares at least 0.01, and if
    the largest share of independently permuted factors reaches it with p at most 0.01. Ordered
    factors of many values are cut into 20 bins of equally many rows. Categories with fewer than
    five rows each are left out.

    >>> rng = np.random.default_rng(0)
    >>> size, hue = rng.integers(5, size=(2, 1000))
    >>> codes = rng.standard_normal((1000, 2))
    >>> factor_dependence(Sample.of(codes, np.stack([size, hue], axis=1))) is None
    True
    >>> factor_dependence(Sample.of(codes, np.stack([size, size + hue % 2], axis=1))).share > 0.5
    True
    """
    if sample.grid is not None or len(sample.names) < 2:
        return None
    columns = {name: _levels(sample, k) for k, name in enumerate(sample.names)}
    known = {name: column for name, column in columns.items() if column is not None}
    if len(known) < 2:
        return None
    names, levels = list(known), np.stack([*known.values()])
    shares = _shares(levels)
    a, b = np.unravel_index(shares.argmax(), shares.shape)
    if shares[a, b] < _LEAST_SHARE:
        return None
    p_value = _p_value(levels, sample.seed)
    if p_value > _LEAST_P:
        return None
    first, second = sorted((int(a), int(b)))
    return FactorDependence(names[first], names[second], float(shares[a, b]), p_value)


def _levels(sample: Sample, which: int) -> np.ndarray | None:
    """Levels (rows,) of a factor; None if they are too many for the rows."""
    column, kind = sample.factors[:, which], sample.kinds[which]
    if kind == "circular":
        column = column % (2 * np.pi)
    levels, (n_levels,) = factor_levels(column[:, None])
    if kind in ("categorical", LEVELS_OF_CIRCLE):
        most = min(_MOST_CATEGORIES, len(column) // _ROWS_PER_CATEGORY)
        return levels[0] if n_levels <= most else None
    if n_levels <= _MOST_LEVELS:
        return levels[0]
    return bin_codes(levels.T.astype(np.float64), _N_BINS, "quantile")[0]


def _shares(levels: np.ndarray, expected: np.ndarray | None = None) -> np.ndarray:
    """What each two factors share (factors, factors) of levels (factors, rows); 0 for itself.

    ``expected`` is what permuted ones share in nats, if it is known.
    """
    information = latent_information(levels, int(levels.max()) + 1)
    expected = _expected(levels) if expected is None else expected
    entropy = np.diagonal(information)
    room = np.minimum(entropy[:, None], entropy) - expected
    shares = np.where(room > 1e-9, (information - expected) / np.maximum(room, 1e-9), 0.0)
    np.fill_diagonal(shares, 0.0)
    return shares


def _expected(levels: np.ndarray) -> np.ndarray:
    """Mean information (factors, factors) in nats over permutations."""
    counts = np.stack([np.bincount(row, minlength=int(levels.max()) + 1) for row in levels])
    return expected_information(counts, counts, levels.shape[1])


def _p_value(levels: np.ndarray, seed: int) -> float:
    """How likely the largest share of permuted factors reaches that of ``levels``."""
    rng = np.random.default_rng([seed, 12])
    if levels.shape[1] > _MOST_ROWS:
        levels = levels[:, rng.permutation(levels.shape[1])[:_MOST_ROWS]]
    expected = _expected(levels)
    observed = _shares(levels, expected).max()
    drawn = [_shares(rng.permuted(levels, axis=1), expected).max() for _ in range(_N_PERMUTATIONS)]
    return float((1 + np.sum(np.array(drawn) >= observed)) / (1 + _N_PERMUTATIONS))
