"""The score of the FactorVAE paper (Kim and Mnih 2018): the latent that moves least votes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unweave._check import check_positive
from unweave.metrics._interventions import (
    GridGroups,
    Groups,
    interventional_subject,
)
from unweave.metrics._predictors import scaled_like
from unweave.metrics.score import Reading, Score
from unweave.metrics.significance import Noise, score_all

__all__ = ["factor_vae_score", "fixed_factor_batches"]


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
    sizes = {"n_train": n_train, "n_test": n_test, "batch_size": batch_size}
    for name, size in sizes.items():
        check_positive(name, size, minimum=2)
    if not np.isfinite(prune_below) or prune_below < 0:
        raise ValueError(f"prune_below is a standard deviation of at least 0, not {prune_below}")
    subject, _, groups_of = interventional_subject(
        codes,
        factors,
        convention,
        {**sizes, "prune_below": prune_below},
        factor_names=factor_names,
        factor_kinds=factor_kinds,
        seed=seed,
        thin=10,
        min_factors=2,
    )

    def measure(codes, factors) -> dict[str, Reading]:
        from unweave.metrics import _kernels

        scaled = scaled_like(codes)[0] if convention == "standardised" else codes
        deviation = np.sqrt(_kernels.variances(scaled))
        active = (deviation >= prune_below) & (deviation > 0)
        groups = groups_of(factors)
        rng = np.random.default_rng([seed, 7])
        rows, labels = fixed_factor_batches(groups, n_train + n_test, batch_size, rng)
        return {
            "factor_vae": _read(scaled, rows, labels, deviation**2 * active, n_train, len(groups))
        }

    return score_all(subject, measure, noise)["factor_vae"]


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


def _read(codes, rows, labels, variances, n_train: int, n_factors: int) -> Reading:
    from unweave.metrics import _kernels

    n_latents = codes.shape[1]
    if not variances.any():  # nothing can vote
        return Reading(0.0, np.zeros(n_factors), np.zeros((n_latents, n_factors)))
    least = _kernels.least_variance(codes, rows, variances)
    votes = np.zeros((n_latents, n_factors))
    np.add.at(votes, (least[:n_train], labels[:n_train]), 1)
    right = votes.argmax(axis=1)[least[n_train:]] == labels[n_train:]
    shown = [labels[n_train:] == k for k in range(n_factors)]
    per_factor = np.array([right[s].mean() if s.any() else 0.0 for s in shown])
    return Reading(
        float(right.mean()), per_factor, votes, {"active_latents": int((variances > 0).sum())}
    )
