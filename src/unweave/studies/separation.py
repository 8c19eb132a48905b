"""Which factors a model separates, from its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "LEAST_SHARE",
    "NEEDED_METRICS",
    "FactorSeparation",
    "factor_separations",
    "is_above_references",
]

LEAST_SHARE = 2 / 3
"""Least share of a factor in the latents that code it: twice the importance of all others."""
NEEDED_METRICS = ("dci_disentanglement", "dci_informativeness")
"""Metrics whose scores say which factors are separated."""


@dataclass(frozen=True)
class FactorSeparation:
    """How far a model separates a factor from the others, beside codes that separate none.

    Attributes
    ----------
    factor
        Its name.
    value
        The separation D_k in [0, 1] that DCI gives: the disentanglement of the latents, weighted by
        their importance to the factor.
    mixture, smooth
        What the same number is for random mixtures and random smooth features of the factors; only
        2.5 % of them exceed it (:class:`~unweave.metrics.score.Chance`).
    share
        How much of what the latents that code the factor are important to is this factor, in
        [0, 1]: the share of each latent, weighted by its importance to the factor.
    accuracy, guess
        Accuracy with which all latents predict the factor, and what codes of other rows reach by
        chance, but for 2.5 % of them.
    """

    factor: str
    value: float
    mixture: float
    smooth: float
    share: float
    accuracy: float
    guess: float

    @property
    def is_separated(self) -> bool:
        """Whether the latents that code the factor code little else.

        That is so if the separation is above that of random mixtures and of smooth features, each
        for this factor; if the latents are more than twice as important to it as to all other
        factors together; and if the factor is predicted better than by chance. The second condition
        is there for codes that mix few factors: a rotation of two factors among six is far from a
        random mixture of all, and separates neither of the two.
        """
        is_above = self.value > max(self.mixture, self.smooth)
        return is_above and self.share > LEAST_SHARE and self.accuracy > self.guess


def factor_separations(metrics: Mapping[str, Any]) -> list[FactorSeparation]:
    """The separation of each factor, from scores as plain numbers (``Scores.to_dict``).

    Raises
    ------
    ValueError
        If they lack a score that says it, or what noise gets for each factor.
    """
    missing = [name for name in NEEDED_METRICS if name not in metrics]
    if missing:
        raise ValueError(
            f"which factors are separated is read from {' and '.join(NEEDED_METRICS)}, and "
            f"{missing[0]} is missing: add it to the metrics"
        )
    apart, known = (metrics[name] for name in NEEDED_METRICS)
    if not apart.get("by_factor") or not (apart["mixture"] or {}).get("by_factor"):
        raise ValueError(
            "these scores do not say what noise gets for each factor: an earlier version made "
            "them, or they were made without noise; score the model again"
        )
    return [
        FactorSeparation(
            factor,
            value,
            apart["mixture"]["by_factor"][factor]["upper"],
            apart["smooth"]["by_factor"][factor]["upper"],
            share,
            known["by_factor"][factor],
            known["chance"]["by_factor"][factor]["upper"],
        )
        for (factor, value), share in zip(
            apart["by_factor"].items(), _shares(np.array(apart["matrix"])), strict=True
        )
    ]


def _shares(importance: np.ndarray) -> list[float]:
    """The share of each factor in what codes it, from importances (latents, factors)."""
    of_latents, of_factors = importance.sum(axis=1, keepdims=True), importance.sum(axis=0)
    shares = importance / np.where(of_latents > 0, of_latents, 1.0)
    return ((shares * importance).sum(axis=0) / np.where(of_factors > 0, of_factors, 1.0)).tolist()


def is_above_references(score: Mapping[str, Any]) -> bool:
    """Whether a score lies above the 97.5 % quantiles of random mixtures and of smooth features."""
    return score["value"] > max(score["mixture"]["upper"], score["smooth"]["upper"])
