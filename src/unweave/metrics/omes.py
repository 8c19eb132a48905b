"""Overlap and multiple encoding scores (Dapueto et al. 2024), of rows that differ in one factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unweave._check import check_choice, constant_columns
from unweave.metrics._information import factor_levels
from unweave.metrics._predictors import scaled_like
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = ["OMES", "omes"]

_CONVENTIONS = ("redrawn", "dapueto2024")
_POOLINGS = ("max", "mean")


@dataclass(frozen=True, kw_only=True)
class OMES(Metric):
    """Overlap and multiple encoding, from correlations within pairs that differ in one factor."""

    names = ("omes",)
    titles = ("OMES",)
    family = "interventions"
    by_default = False
    cost = 2

    alpha: float = 0.5
    """Weight of overlap; multiple encoding has the rest."""
    convention: str = "redrawn"
    """redrawn or dapueto2024."""
    pooling: str = "max"
    """max or mean."""

    def __post_init__(self) -> None:
        check_choice("convention", self.convention, _CONVENTIONS)
        check_choice("pooling", self.pooling, _POOLINGS)
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must lie between 0 and 1, not {self.alpha}")

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Weigh how far each latent follows each factor alone."""
        levels, n_levels = factor_levels(sample.factors, sample.kinds)
        codes = scaled_like(sample.codes)[0]
        weights = np.stack(
            [
                self._weights(codes, _cells(levels, n_levels, k), levels[k], sample.names[k])
                for k in range(len(levels))
            ],
            axis=1,
        )
        alive = np.delete(np.arange(len(weights)), constant_columns(sample.codes))
        return {"omes": self._measured(weights, weights[alive])}

    def _weights(
        self, codes: np.ndarray, cells: np.ndarray, levels: np.ndarray, name: str
    ) -> np.ndarray:
        """How far each latent (latents,) follows the factor ``levels`` (rows,), in [0, 1]."""
        correlation = _correlation_of_pairs(codes, cells, levels)
        if correlation is None:
            raise ValueError(
                f"no two of {len(codes)} rows differ in factor {name!r} alone, and OMES compares "
                "such pairs: give more rows, a whole grid, or fewer factors"
            )
        if self.convention == "dapueto2024":
            return np.asarray(1 - np.abs(correlation))
        share = np.bincount(levels) / len(levels)
        return np.asarray(np.clip((1 - np.sum(share**2)) * (1 - correlation), 0.0, 1.0))

    def _measured(self, weights: np.ndarray, alive: np.ndarray) -> Measurement:
        overlap = multiple = np.zeros(weights.shape[1])
        if len(alive):
            overlap = self._pooled(1 - _distance_from_alone(alive, axis=1), alive)
            multiple = self._pooled(1 - _distance_from_alone(alive, axis=0), alive)
        each = self.alpha * overlap + (1 - self.alpha) * multiple
        extras = {
            "overlap": float(overlap.mean()),
            "multiple_encoding": float(multiple.mean()),
        }
        return Measurement(float(each.mean()), each, weights, extras)

    def _pooled(self, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """One score for each factor (factors,), of those of its latents (latents, factors)."""
        if self.pooling == "max":
            return np.asarray((scores * weights).max(axis=0))
        total = weights.sum(axis=0)
        return np.asarray((scores * weights**2).sum(axis=0) / np.where(total > 0, total, 1.0))


def omes(
    codes: object,
    factors: object,
    *,
    alpha: float = 0.5,
    convention: str = "redrawn",
    pooling: str = "max",
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""OMES: whether each factor moves one latent, and that latent nothing else, in [0, 1].

    .. math:: \frac{1}{K} \sum_k \alpha \max_j O_{jk} W_{jk} + (1 - \alpha) \max_j M_{jk} W_{jk}

    .. math:: O_{jk} = 1 - \frac{1}{K} \sum_{k'} |\delta_{kk'} - W_{jk'}|, \quad
        M_{jk} = 1 - \frac{1}{D} \sum_{j'} |\delta_{jj'} - W_{j'k}|

    ``W`` (latents, factors) says how far a latent follows a factor alone. It is read from
    :math:`\rho`, the correlation of the latent within pairs of rows that differ in that factor and
    agree in all others. O is 1 if the latent follows no other factor, and M if no other latent
    follows the factor. All pairs count, with equal weight, and none is drawn at random. Latents
    that never vary are left out.

    Parameters
    ----------
    codes, factors
        Arrays (samples, latents) and (samples, factors) of the same rows, or codes of a whole grid
        and its :class:`~unweave.datasets.FactorSpace`.
    alpha
        Weight of the overlap O; the multiple encoding M has the rest.
    convention
        ``redrawn`` takes :math:`W = (1 - \sum_c p_c^2)(1 - \rho)`, cut to [0, 1]: the share of the
        latent's variance that goes when the factor is drawn again, whatever its level before (the
        total-effect index of Sobol), which is 1 for a latent of this factor alone.
        ``dapueto2024`` takes :math:`W = 1 - |\rho|`. In pairs that must differ, a latent of one
        factor of L levels has :math:`\rho = -1 / (L - 1)`, so that W is below 1, and 0 for L = 2.
    pooling
        ``max`` as above; ``mean`` over latents, weighted by W, as the authors' code does too.
    factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`. ``matrix`` has W; ``extras`` has the
        mean over factors of the two parts, ``overlap`` and ``multiple_encoding``.

    Raises
    ------
    ValueError
        If the arrays cannot be used, or no two rows differ in some factor alone.

    References
    ----------
    Dapueto et al. (2024), https://arxiv.org/abs/2409.18017, section 3.

    >>> factors = np.stack(np.meshgrid(range(4), range(5)), -1).reshape(-1, 2)
    >>> round(float(omes(factors.astype(float), factors, noise=None)), 9)
    1.0
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, seed=seed)
    metric = OMES(alpha=alpha, convention=convention, pooling=pooling)
    return score(metric, sample, noise)["omes"]


def _distance_from_alone(weights: np.ndarray, axis: int) -> np.ndarray:
    """Mean distance (latents, factors) of a row or column from having its 1 here alone."""
    n = weights.shape[axis]
    total = weights.sum(axis=axis, keepdims=True)
    return np.asarray((total - weights + np.abs(1 - weights)) / n)


def _cells(levels: np.ndarray, n_levels: np.ndarray, k: int) -> np.ndarray:
    """Which rows (rows,) agree in all factors but the k-th: equal numbers from 0 on do."""
    cells = np.zeros(levels.shape[1], dtype=np.int64)
    for other in range(len(levels)):
        if other != k:
            # Numbers stay below rows times levels, however many factors there are.
            _, cells = np.unique(cells * n_levels[other] + levels[other], return_inverse=True)
    return cells


def _correlation_of_pairs(
    codes: np.ndarray, cells: np.ndarray, levels: np.ndarray
) -> np.ndarray | None:
    """Correlation (latents,) over all ordered pairs of a cell that differ in level; 1 if constant.

    None if there is no such pair. Sums over cells take the place of pairs, which could be as many
    as rows squared.
    """
    n_levels = int(levels.max()) + 1
    _, parts = np.unique(cells * n_levels + levels, return_inverse=True)
    in_cell, in_part = np.bincount(cells), np.bincount(parts)
    partners = (in_cell[cells] - in_part[parts]).astype(np.float64)
    n_pairs = partners.sum()
    if not n_pairs:
        return None
    found = np.ones(codes.shape[1])
    for j, column in enumerate(codes.T.astype(np.float64)):
        z = column - column @ partners / n_pairs
        variance = z**2 @ partners / n_pairs
        within = np.sum(np.bincount(cells, z) ** 2) - np.sum(np.bincount(parts, z) ** 2)
        if variance > 1e-12:
            found[j] = within / n_pairs / variance
    return found
