"""Identifiability: whether factors are found up to order and scale, or up to a linear map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unweave._check import check_choice
from unweave.metrics._predictors import (
    angle_of,
    codes_apart,
    cut_angle_r_squared,
    factors_apart,
    r_squared,
    scaled_like,
    targets_by_kind,
)
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = ["MCC", "LinearR2", "linear_r2", "mean_correlation_coefficient"]

_RANK = 1e-6  # of the largest singular value, below which a direction of the codes counts as none
_CORRELATIONS = ("pearson", "spearman")


@dataclass(frozen=True, kw_only=True)
class MCC(Metric):
    """Mean correlation of each factor with a latent of its own."""

    names = ("mcc",)
    titles = ("MCC",)
    family = "prediction"
    needs_levels = False

    correlation: str = "pearson"
    """pearson or spearman."""

    def __post_init__(self) -> None:
        check_choice("correlation", self.correlation, _CORRELATIONS)

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Match latents with factors so that correlations are largest in all."""
        from scipy.optimize import linear_sum_assignment
        from scipy.stats import rankdata

        codes, factors, kinds = sample.codes, sample.factors, sample.kinds
        if self.correlation == "spearman":
            codes, factors = rankdata(codes, axis=0), _ranked(factors, kinds)
        (scaled,) = scaled_like(codes)
        matrix = np.stack(
            [_correlations(scaled, target) for target in targets_by_kind(factors, kinds)], axis=1
        )
        for k, kind in enumerate(kinds):
            angle = angle_of(factors[:, k], kind)
            if angle is not None:
                by_angle = np.sqrt(cut_angle_r_squared(scaled, angle))
                matrix[:, k] = np.maximum(matrix[:, k], by_angle)
        latents, matched = linear_sum_assignment(matrix, maximize=True)
        per_factor = np.zeros(matrix.shape[1])
        per_factor[matched] = matrix[latents, matched]
        return {"mcc": Measurement(float(per_factor.mean()), per_factor, matrix)}


class LinearR2(Metric):
    """Share of each factor's variance that a linear map of all latents predicts."""

    names = ("linear_r2",)
    titles = ("linear R²",)
    family = "prediction"
    range = "at most 1"
    assume_independence = False
    needs_levels = False
    takes_test = True
    cost = 2

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Least squares on some rows, judged on others."""
        key = ("least squares", sample.test is None)
        least_squares = sample.once_for_codes(
            key, lambda: _LeastSquares.of(*scaled_like(*codes_apart(sample)))
        )
        targets = targets_by_kind(np.concatenate(factors_apart(sample)), sample.kinds)
        shares = np.array([least_squares.held_out_share(target) for target in targets])
        return {"linear_r2": Measurement(float(shares.mean()), shares)}


@dataclass(frozen=True)
class _LeastSquares:
    """Codes to learn from as what all targets need of them, and codes to be judged on."""

    basis: np.ndarray
    """Left singular vectors (rows, rank) of the codes to learn from."""
    scores: np.ndarray
    """Codes (rows, rank) to be judged on, in the directions and units of that basis."""

    @classmethod
    def of(cls, learn: np.ndarray, judge: np.ndarray) -> _LeastSquares:
        """From the standardised codes of both."""
        basis, spread, directions = np.linalg.svd(learn, full_matrices=False)
        kept = spread > _RANK * spread[0]
        return cls(basis[:, kept], judge @ (directions[kept].T / spread[kept]))

    def held_out_share(self, target: np.ndarray) -> float:
        """R² of ``target``, rows to learn from first, on the rows to be judged on."""
        learn, true = target[: len(self.basis)], target[len(self.basis) :]
        mean = learn.mean(axis=0)
        return r_squared(self.scores @ (self.basis.T @ (learn - mean)) + mean, true)


def mean_correlation_coefficient(
    codes: object,
    factors: object,
    *,
    correlation: str = "pearson",
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""MCC: mean absolute correlation of each factor with a latent of its own, in [0, 1].

    .. math:: \max_\pi \frac{1}{K} \sum_k |\mathrm{corr}(z_{\pi(k)}, v_k)|

    over all ways :math:`\pi` to give each factor another latent. A factor without a latent counts
    0. For a circular factor the correlation is the multiple one with cosine and sine, or that with
    the angle, with the circle cut open where it suits the latent best, whichever is larger; for a
    categorical one it is the correlation ratio. The maximum finds some correlation in noise, the
    more the wider the codes: read the chance level.

    Parameters
    ----------
    correlation
        ``pearson``, or ``spearman``, that of the ranks, which forgives monotone maps.
    codes, factors, factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors.

    References
    ----------
    Hyvärinen and Morioka (2016), https://arxiv.org/abs/1605.06336, section 6.

    >>> factors = np.stack(np.meshgrid(range(3), range(4)), -1).reshape(-1, 2)
    >>> round(float(mean_correlation_coefficient(-2.0 * factors[:, ::-1], factors, noise=None)), 6)
    1.0
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, seed=seed)
    return score(MCC(correlation=correlation), sample, noise)["mcc"]


def linear_r2(
    codes: object,
    factors: object,
    *,
    test: tuple[object, object] | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""Share of each factor's variance that a linear map of all latents predicts; at most 1.

    It is fitted by least squares and judged on held-out rows, where it may be negative. What is
    predicted of a circular factor is the point on its circle, of a categorical one the indicator
    of each level. No linear map makes that point of an angle in one latent, which scores low.
    A rotation of the codes changes nothing.

    Parameters
    ----------
    test
        Codes and factors of other rows to be judged on; else a random third is held out.
    codes, factors, factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors.

    References
    ----------
    Hyvärinen and Morioka (2016), https://arxiv.org/abs/1605.06336, section 4.

    >>> rng = np.random.default_rng(0)
    >>> factors = rng.integers(9, size=(300, 2))
    >>> round(float(linear_r2(factors @ [[1.0, 1], [1, -1]], factors, noise=None)), 6)
    1.0
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, test=test, seed=seed)
    return score(LinearR2(), sample, noise)["linear_r2"]


def _ranked(factors: np.ndarray, kinds: Sequence[str]) -> np.ndarray:
    """Ranks of the factors that have an order, the others as they are."""
    from scipy.stats import rankdata

    columns = [
        rankdata(column) if kind in ("ordinal", "continuous") else column
        for column, kind in zip(factors.T, kinds, strict=True)
    ]
    return np.stack(columns, axis=1)


def _correlations(scaled: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Multiple correlation (latents,) of each latent of deviation 1 with all of ``target``."""
    basis, spread, _ = np.linalg.svd(target - target.mean(axis=0), full_matrices=False)
    basis = basis[:, spread > 1e-9 * spread[0]]
    return np.sqrt(np.clip(((basis.T @ scaled) ** 2).sum(axis=0) / len(scaled), 0, 1))
