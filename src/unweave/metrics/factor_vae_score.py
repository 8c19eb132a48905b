"""The score of the FactorVAE paper (Kim and Mnih 2018): the latent that moves least votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unweave._check import check_choice, check_positive
from unweave.metrics._interventions import (
    CONVENTIONS,
    GridGroups,
    Groups,
    Interventional,
    groups_of,
)
from unweave.metrics._predictors import scaled_like
from unweave.metrics.metric import score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = ["FactorVAEScore", "factor_vae_score", "fixed_factor_batches"]


@dataclass(frozen=True, kw_only=True)
class FactorVAEScore(Interventional):
    """Accuracy of a majority vote of the latent that varies least among rows that agree."""

    names = ("factor_vae",)
    titles = ("FactorVAE score",)
    min_factors = 2
    cost = 10

    prune_below: float = 0.05
    """Standard deviation below which a latent casts no votes."""
    n_train: int = 10_000
    """Votes to learn from."""
    n_test: int = 5_000
    """Votes to be judged on."""
    batch_size: int = 64
    """Rows for each vote."""

    def __post_init__(self) -> None:
        for name in ("n_train", "n_test", "batch_size"):
            check_positive(name, getattr(self, name), minimum=2)
        if not np.isfinite(self.prune_below) or self.prune_below < 0:
            raise ValueError(
                f"prune_below is a standard deviation of at least 0, not {self.prune_below}"
            )
        check_choice("convention", self.convention, CONVENTIONS)

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Draw batches, and let latents vote."""
        from unweave.metrics import _kernels

        codes = sample.codes
        scaled = scaled_like(codes)[0] if self.convention == "standardised" else codes
        deviation = np.sqrt(_kernels.variances(scaled))
        active = (deviation >= self.prune_below) & (deviation > 0)
        groups, rng = groups_of(sample), np.random.default_rng([sample.seed, 7])
        n_points = self.n_train + self.n_test
        rows, labels = fixed_factor_batches(groups, n_points, self.batch_size, rng)
        variances = deviation**2 * active
        found = _measured(scaled, rows, labels, variances, self.n_train, len(groups))
        return {"factor_vae": found}


def factor_vae_score(
    codes: object,
    factors: object,
    *,
    convention: str = "standardised",
    prune_below: float = 0.05,
    n_train: int = 10_000,
    n_test: int = 5_000,
    batch_size: int = 64,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""Accuracy of guessing a fixed factor from the latent that varies least, in [0, 1].

    A batch of rows agrees in one factor; the latent of least variance in it, relative to its
    variance over all rows, casts a vote. Each latent then stands for the factor that it voted for
    most often. Guessing gets about one over the number of factors. Several latents of one factor
    cost nothing.

    Parameters
    ----------
    codes, factors
        As of :func:`~unweave.metrics.beta_vae_score`: a grid, or a plain table that is grouped.
    convention
        ``standardised`` prunes after scaling each latent to deviation 1, and so only those that
        never vary; ``disentanglement_lib`` prunes by the deviation of the codes as they are.
    prune_below
        Latents whose standard deviation is below this cast no votes. (disentanglement_lib's own
        default is 0, which lets a latent that never varies win all votes; its study used 0.05.)
    n_train, n_test, batch_size
        Votes to learn from and to be judged on, and rows for each.
    factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors.

    References
    ----------
    Kim and Mnih (2018), https://arxiv.org/abs/1802.05983, section 3.

    >>> factors = np.stack(np.meshgrid(range(4), range(4), range(4)), -1).reshape(-1, 3)
    >>> float(factor_vae_score(factors.astype(float), factors, noise=None))
    1.0
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, seed=seed)
    metric = FactorVAEScore(
        convention=convention,
        prune_below=prune_below,
        n_train=n_train,
        n_test=n_test,
        batch_size=batch_size,
    )
    return score(metric, sample, noise)["factor_vae"]


def fixed_factor_batches(
    groups: Sequence[Groups | GridGroups], n_points: int, batch_size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (points, batch) that agree in one factor each, and which factor (points,) that is."""
    labels = rng.integers(len(groups), size=n_points)
    rows = np.empty((n_points, batch_size), dtype=np.int64)
    for k, group in enumerate(groups):
        mine = np.flatnonzero(labels == k)
        like = rng.integers(group.n_rows, size=(len(mine), 1), dtype=np.int32)
        rows[mine] = group.draw(like, (len(mine), batch_size), rng)
    return rows, labels


def _measured(codes, rows, labels, variances, n_train: int, n_factors: int) -> Measurement:
    from unweave.metrics import _kernels

    n_latents = codes.shape[1]
    if not variances.any():  # nothing can vote
        return Measurement(0.0, np.zeros(n_factors), np.zeros((n_latents, n_factors)))
    least = _kernels.least_variance(codes, rows, variances)
    votes = np.zeros((n_latents, n_factors))
    np.add.at(votes, (least[:n_train], labels[:n_train]), 1)
    right = votes.argmax(axis=1)[least[n_train:]] == labels[n_train:]
    shown = [labels[n_train:] == k for k in range(n_factors)]
    per_factor = np.array([right[s].mean() if s.any() else 0.0 for s in shown])
    return Measurement(
        float(right.mean()), per_factor, votes, {"active_latents": int((variances > 0).sum())}
    )
