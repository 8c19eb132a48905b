"""Hyper-parameters of published studies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unweave.models import Network
from unweave.models.objectives import (
    DIPVAEI,
    DIPVAEII,
    AnnealedVAE,
    BetaTCVAE,
    BetaVAE,
    FactorVAE,
    Objective,
)

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True)
class Preset:
    """How a study trained its models."""

    source: str
    network: Network
    training: Mapping[str, Any]
    """Fields of a :class:`~unweave.training.TrainingConfig`."""
    objectives: Mapping[str, tuple[Objective, ...]]
    """What it compared, by name: every value that it tried."""


PRESETS = {
    "locatello": Preset(
        source="Locatello et al. (2019), https://arxiv.org/abs/1811.12359, tables 2 and 3",
        network=Network(name="locatello"),
        training={"steps": 300_000, "batch_size": 64, "learning_rate": 1e-4},
        objectives={
            "beta_vae": tuple(BetaVAE(beta=b) for b in (1, 2, 4, 6, 8, 16)),
            "annealed_vae": tuple(
                AnnealedVAE(max_capacity=c, gamma=1000, annealing_steps=100_000)
                for c in (5, 10, 25, 50, 75, 100)
            ),
            "factor_vae": tuple(FactorVAE(gamma=g) for g in (10, 20, 30, 40, 50, 100)),
            "dip_vae_i": tuple(
                DIPVAEI(lambda_od=v, diagonal_factor=10) for v in (1, 2, 5, 10, 20, 50)
            ),
            "dip_vae_ii": tuple(
                DIPVAEII(lambda_od=v, diagonal_factor=1) for v in (1, 2, 5, 10, 20, 50)
            ),
            "beta_tc_vae": tuple(
                BetaTCVAE(beta=b, estimator="weighted") for b in (1, 2, 4, 6, 8, 10)
            ),
        },
    ),
}
"""By name. Each method had fifty seeds for each value."""
