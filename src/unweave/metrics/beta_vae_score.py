"""The score of the beta-VAE paper (Higgins et al. 2017): guess the factor held fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unweave._check import check_choice, check_positive
from unweave.metrics._interventions import (
    CONVENTIONS,
    GridGroups,
    Groups,
    Interventional,
    groups_of,
)
from unweave.metrics._predictors import WIDE, logistic_regression, scaled_like
from unweave.metrics.metric import score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = ["BetaVAEScore", "beta_vae_score", "difference_points"]


@dataclass(frozen=True, kw_only=True)
class BetaVAEScore(Interventional):
    """Accuracy of a linear classifier of mean differences between rows that agree in a factor."""

    names = ("beta_vae",)
    titles = ("β-VAE score",)
    min_factors = 2
    cost = 10

    n_train: int = 10_000
    """Points to learn from."""
    n_test: int = 5_000
    """Points to be judged on."""
    batch_size: int = 64
    """Pairs for each point."""

    def __post_init__(self) -> None:
        check_choice("convention", self.convention, CONVENTIONS)
        for name in ("n_train", "n_test", "batch_size"):
            check_positive(name, getattr(self, name))

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Draw pairs, and classify the factor that they agree in."""
        codes = sample.codes
        scaled = scaled_like(codes)[0] if self.convention == "standardised" else codes
        groups, rng = groups_of(sample), np.random.default_rng([sample.seed, 6])
        n_points = self.n_train + self.n_test
        points, labels = difference_points(scaled, groups, n_points, self.batch_size, rng)
        return {"beta_vae": _measured(points, labels, self.n_train, len(groups))}


def beta_vae_score(
    codes: object,
    factors: object,
    *,
    convention: str = "standardised",
    n_train: int = 10_000,
    n_test: int = 5_000,
    batch_size: int = 64,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""Accuracy of a linear guess at the factor that two batches share, in [0, 1].

    A point is the mean of :math:`|z - z'|` over ``batch_size`` pairs of rows that agree in one
    factor; a logistic regression is to tell which one it was. Guessing gets one over the number of
    factors. A linear classifier undoes rotations: mixed codes score high, too.

    Parameters
    ----------
    codes, factors
        Codes of all rows of a grid with their :class:`~unweave.datasets.FactorSpace`: then pairs
        are those of the paper, fresh but for the fixed factor. Or arrays (samples, latents) and
        (samples, factors): then rows that agree in the factor make the pairs, which deviates from
        the paper by drawing levels as often as they occur and dependent factors together.
    convention
        ``standardised`` scales each latent to deviation 1, for the classifier's penalty depends on
        it; ``disentanglement_lib`` leaves the codes as they are.
    n_train, n_test, batch_size
        Points to learn from and to be judged on, and pairs for each.
    factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors.

    References
    ----------
    Higgins et al. (2017), https://openreview.net/forum?id=Sy2fzU9gl, section 3.

    >>> factors = np.stack(np.meshgrid(range(4), range(4), range(4)), -1).reshape(-1, 3)
    >>> float(beta_vae_score(factors.astype(float), factors, noise=None)) > 0.99
    True
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, seed=seed)
    metric = BetaVAEScore(
        convention=convention, n_train=n_train, n_test=n_test, batch_size=batch_size
    )
    return score(metric, sample, noise)["beta_vae"]


def difference_points(
    codes: np.ndarray,
    groups: Sequence[Groups | GridGroups],
    n_points: int,
    batch_size: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute differences (points, latents), and which factor (points,) was held fixed."""
    from unweave.metrics import _kernels

    labels = rng.integers(len(groups), size=n_points)
    # Short whole numbers: dividing long ones would take a third of the time.
    first = rng.integers(len(codes), size=(n_points, batch_size), dtype=np.int32)
    second = np.empty_like(first)
    for k, group in enumerate(groups):
        mine = labels == k
        second[mine] = group.draw(first[mine], first[mine].shape, rng)
    return _kernels.mean_differences(codes, first, second), labels


def _measured(points: np.ndarray, labels: np.ndarray, n_train: int, n_factors: int) -> Measurement:
    if len(np.unique(labels[:n_train])) < 2:
        right = labels[n_train:] == labels[0]
    else:
        model = _classifier(points[:n_train], labels[:n_train])
        right = model.predict(points[n_train:]) == labels[n_train:]
    shown = [labels[n_train:] == k for k in range(n_factors)]
    per_factor = np.array([right[s].mean() if s.any() else 0.0 for s in shown])
    means = [
        points[labels == k].mean(axis=0) if (labels == k).any() else points[0] * 0
        for k in range(n_factors)
    ]
    return Measurement(float(right.mean()), per_factor, np.stack(means, axis=1))


def _classifier(points: np.ndarray, labels: np.ndarray) -> Any:
    if points.shape[1] > WIDE:
        return logistic_regression(points, labels)
    from sklearn.linear_model import LogisticRegression

    # Few unknowns: Newton's method is at the optimum before L-BFGS is near it.
    return LogisticRegression(solver="newton-cholesky").fit(points, labels)
