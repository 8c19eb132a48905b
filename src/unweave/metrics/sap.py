"""Separated attribute predictability (Kumar et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unweave._check import check_choice, constant_columns
from unweave._factors import LEVELS_OF_CIRCLE
from unweave.metrics._information import check_levels, factor_levels
from unweave.metrics._predictors import (
    angle_of,
    cut_angle_r_squared,
    hold_out,
    scaled_like,
    targets_by_kind,
)
from unweave.metrics.metric import Metric, score
from unweave.metrics.mig import top_gap
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = ["SAP", "separated_attribute_predictability"]

CONVENTIONS = ("by_kind", "disentanglement_lib")
_C = 0.01  # the regularisation of disentanglement_lib's classifier


@dataclass(frozen=True, kw_only=True)
class SAP(Metric):
    """Mean gap between the two latents that predict a factor best."""

    names = ("sap",)
    titles = ("SAP",)
    family = "prediction"
    min_latents = 2
    needs_levels = False  # but of classes
    takes_test = True

    convention: str = "by_kind"
    """by_kind or disentanglement_lib."""
    continuous_factors: bool = False
    """Whether disentanglement_lib takes R², and not classes."""

    def __post_init__(self) -> None:
        check_choice("convention", self.convention, CONVENTIONS)
        if self.continuous_factors and self.convention != "disentanglement_lib":
            raise ValueError(
                "continuous_factors belongs to convention='disentanglement_lib'; by kind, say "
                "which factors are continuous in factor_kinds"
            )

    @property
    def keep(self) -> tuple[str, ...]:
        """The classifier of disentanglement_lib depends on both."""
        as_they_are = self.convention == "disentanglement_lib" and not self.continuous_factors
        return ("offset", "scale") if as_they_are else ()

    def kinds_of(self, sample: Sample) -> tuple[str, ...]:
        """Kinds as this convention treats them."""
        if self.convention == "by_kind":
            return sample.kinds
        return ("ordinal" if self.continuous_factors else "categorical",) * len(sample.kinds)

    def settings(self, sample: Sample) -> dict[str, Any]:
        """With the kinds, and what belongs to classes."""
        kinds = self.kinds_of(sample)
        return {
            "convention": self.convention,
            "factor_kinds": ["circular" if k == LEVELS_OF_CIRCLE else k for k in kinds],
            "svm_C": _C if "categorical" in kinds else None,
            "n_test": len(sample.test[0]) if sample.test else None,
        }

    def notes(self, sample: Sample) -> tuple[str, ...]:
        """None; but classes must be levels."""
        kinds = self.kinds_of(sample)
        check_levels(
            sample.factors[:, [k for k, kind in enumerate(kinds) if kind == "categorical"]]
        )
        return ()

    def cost_of(self, sample: Sample) -> int:
        """Each latent and level of a class has a support vector machine of its own."""
        return 5 if "categorical" in self.kinds_of(sample) else 1

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Sort each factor's column of predictabilities, and take the difference at its end."""
        matrix = _predictability(sample, self.kinds_of(sample), self.convention)
        gaps = top_gap(matrix)
        return {"sap": Measurement(float(gaps.mean()), gaps, matrix)}


def separated_attribute_predictability(
    codes: object,
    factors: object,
    *,
    convention: str = "by_kind",
    continuous_factors: bool = False,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    test: tuple[object, object] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""How far the best single-latent predictor of a factor is ahead of the second best, in [0, 1].

    .. math:: \frac{1}{K} \sum_k S_{(1)k} - S_{(2)k}

    ``S`` (latents, factors) is, for ordinal and continuous factors, the R² of a linear regression
    of the factor on the latent; for circular ones, that of the angle, with the circle cut open
    where it suits the latent best; for categorical ones, the accuracy of a linear support vector
    machine on held-out rows, of latents scaled to deviation 1, for its penalty depends on offset
    and scale. A single linear classifier cannot single out the levels in the middle of a latent:
    with many levels, the accuracies of a perfect code are far below 1.

    Parameters
    ----------
    codes, factors
        Arrays (samples, latents) and (samples, factors) of the same rows.
    convention
        ``by_kind`` as above; ``disentanglement_lib`` treats all factors alike: as classes, or, with
        ``continuous_factors``, by R². Its classifier reads codes as they are: adding a constant to
        a latent, or rescaling it, changes the score.
    continuous_factors
        Only with ``convention="disentanglement_lib"``, which has the same option.
    factor_names, factor_kinds
        As of :func:`~unweave.metrics.mutual_information_gap`. The levels of a circular factor are
        whole numbers once around the circle, or angles in radians.
    test
        Codes and factors of other rows, on which classifiers are judged. Without it, a random third
        of the rows is held out for that.
    noise
        What to spend on chance level, p-value and interval; None for the bare value.
    seed
        Seed of all draws.

    Raises
    ------
    ValueError
        If the arrays cannot be used (nan, other lengths, a constant factor, a single latent).

    References
    ----------
    Kumar et al. (2018), https://arxiv.org/abs/1711.00848, section 3.

    >>> factors = np.stack(np.meshgrid([0, 1], [0, 1, 2]), -1).reshape(-1, 2)
    >>> float(separated_attribute_predictability(factors.astype(float), factors, noise=None))
    1.0
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, test=test, seed=seed)
    metric = SAP(convention=convention, continuous_factors=continuous_factors)
    return score(metric, sample, noise)["sap"]


def _predictability(sample: Sample, kinds: Sequence[str], convention: str) -> np.ndarray:
    """Score matrix (latents, factors): R² of the rows, or accuracy on the held-out ones."""
    codes, factors = sample.codes, sample.factors
    matrix = np.empty((codes.shape[1], factors.shape[1]))
    classes = np.array([kind == "categorical" for kind in kinds])
    if not classes.all():
        angles = {k: angle_of(factors[:, k], kind) for k, kind in enumerate(kinds)}
        lines = [k for k, angle in angles.items() if angle is None and not classes[k]]
        targets = targets_by_kind(factors[:, lines], [kinds[k] for k in lines])
        matrix[:, lines] = _r_squared(codes, targets)
        for k, angle in angles.items():
            if angle is not None:
                matrix[:, k] = cut_angle_r_squared(codes, angle)
    if classes.any():
        learn, learn_factors, judge, judge_factors = hold_out(sample)
        if convention == "by_kind":
            learn, judge = scaled_like(learn, judge)
        matrix[:, classes] = _accuracy(
            learn, learn_factors[:, classes], judge, judge_factors[:, classes]
        )
    return matrix


def _r_squared(codes: np.ndarray, targets: list[np.ndarray]) -> np.ndarray:
    """Share (latents, factors) of each target's total variance that a latent explains linearly."""
    z = codes.astype(np.float64)
    z -= z.mean(axis=0)
    variance = np.einsum("nj,nj->j", z, z)
    alive = np.delete(np.arange(codes.shape[1]), constant_columns(codes))
    shares = np.zeros((codes.shape[1], len(targets)))
    for k, target in enumerate(targets):
        y = target - target.mean(axis=0)
        explained = ((z.T @ y) ** 2).sum(axis=1)
        shares[alive, k] = explained[alive] / (variance[alive] * (y**2).sum())
    return shares


def _accuracy(codes, factors, test_codes, test_factors) -> np.ndarray:
    from unweave.metrics import _kernels

    n = len(codes)
    levels, n_levels = factor_levels(np.concatenate([factors, test_factors]))
    return _kernels.svm_accuracy(
        np.ascontiguousarray(codes.T),
        np.ascontiguousarray(levels[:, :n]),
        np.ascontiguousarray(test_codes.T),
        np.ascontiguousarray(levels[:, n:]),
        n_levels,
        _C,
    )
