"""InfoMEC (Hsu et al. 2023): modularity, compactness and explicitness from information."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unweave._check import check_positive
from unweave.metrics._information import factor_levels, neighbour_table
from unweave.metrics._predictors import logistic_regression, scaled_like
from unweave.metrics._subject import subject_of
from unweave.metrics.score import Reading, Scores
from unweave.metrics.significance import Noise, score_all

__all__ = ["infomec"]


def infomec(
    codes: object,
    factors: object,
    *,
    n_neighbors: int = 10,
    prune_below: float = 0.05,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Scores:
    r"""InfoMEC: ``infom`` (modularity), ``infoc`` (compactness), ``infoe`` (explicitness).

    .. math:: \text{InfoM} = \frac{\frac{1}{D} \sum_j \max_k N_{jk} / \sum_k N_{jk} - 1/K}{1 - 1/K},
        \quad N_{jk} = I(z_j; v_k) / H(v_k)

    InfoC is the same over latents, for each factor. Informations are estimated from nearest
    neighbours, without bins. InfoE is the mean over factors of how much of its entropy a logistic
    regression on all latents takes away, on the rows that it was fitted to. M and C lie in [0, 1]
    and are far above 0 for noise; E is at most 1.

    Two things that the authors' code does are kept, for the sake of comparison, and worth knowing:
    InfoE is fitted with classes weighted by their rarity but its loss is not weighted, and it has
    no rows held out. A latent that knows nothing (its row of N is 0) counts as no preference, 0,
    where their code returns nan; so do all factors if fewer than two latents are active.

    Parameters
    ----------
    n_neighbors
        Neighbours for the estimate of information.
    prune_below
        Latents whose range is below this share of the largest one are inactive, and left out of M
        and C. (Latents are not scaled for this.)
    codes, factors, factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors.

    References
    ----------
    Hsu et al. (2023), https://arxiv.org/abs/2305.18378, section 3.

    >>> rng = np.random.default_rng(0)
    >>> factors = rng.integers(4, size=(400, 2))
    >>> scores = infomec(factors + 0.01 * rng.random((400, 2)), factors, noise=None)
    >>> scores["infom"] > 0.95, scores["infoe"] > 0.95
    (True, True)
    """
    n_neighbors = check_positive("n_neighbors", n_neighbors)
    subject, kinds = subject_of(
        codes,
        factors,
        {"n_neighbors": n_neighbors, "prune_below": prune_below},
        factor_names=factor_names,
        factor_kinds=factor_kinds,
        seed=seed,
        keep=("scale",),
        thin=10,
    )
    subject = replace(subject, notes=(*subject.notes, *_pruned(subject.codes, prune_below)))

    def measure(codes, factors) -> dict[str, Reading]:
        levels, n_levels = factor_levels(factors, kinds)
        active = _active(codes, prune_below)
        shares = neighbour_table(codes, levels, n_levels, n_neighbors).normalised
        rows = zip(levels, n_levels, strict=True)
        explicit = np.array([_explicitness(codes, row, n) for row, n in rows])
        return {
            "infom": _preference(shares[active], shares),
            "infoc": _preference(shares[active].T, shares),
            "infoe": Reading(float(explicit.mean()), explicit, shares),
        }

    return Scores(score_all(subject, measure, noise))


def _active(codes: np.ndarray, prune_below: float) -> np.ndarray:
    """Which latents vary, and span more than ``prune_below`` of the widest one."""
    spread = np.ptp(codes, axis=0)
    return (spread > spread.max() * prune_below) & (spread > 0)


def _pruned(codes: np.ndarray, prune_below: float) -> tuple[str, ...]:
    """A note on latents that vary and are left out all the same."""
    pruned = np.flatnonzero(~_active(codes, prune_below) & (np.ptp(codes, axis=0) > 0))
    if not pruned.size:
        return ()
    return (
        f"InfoM and InfoC leave out latents {pruned[:10].tolist()}: each spans less than "
        f"{prune_below:g} of the widest latent (prune_below)",
    )


def _preference(rows: np.ndarray, matrix: np.ndarray) -> Reading:
    """How much of each row lies in its largest entry, 0 being an even spread."""
    if rows.shape[0] == 0 or rows.shape[1] < 2:
        return Reading(0.0, np.zeros(rows.shape[0]), matrix)
    even, total = 1 / rows.shape[1], rows.sum(axis=1)
    share = np.where(total > 0, rows.max(axis=1) / np.where(total > 0, total, 1.0), even)
    each = (share - even) / (1 - even)
    return Reading(float(each.mean()), each, matrix)


def _explicitness(codes: np.ndarray, levels: np.ndarray, n_levels: int) -> float:
    (scaled,) = scaled_like(codes)
    model = logistic_regression(scaled, levels, C=np.inf, class_weight="balanced")
    likelihood = model.predict_proba(scaled)[np.arange(len(levels)), levels]
    # With balanced classes and nothing to see, every level is as likely.
    return 1 + float(np.log(np.maximum(likelihood, np.finfo(float).eps)).mean() / np.log(n_levels))
