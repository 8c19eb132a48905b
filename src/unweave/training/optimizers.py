"""Optimisers, and the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from unweave._settings import TrainingSettings

__all__ = [
    "build_optimizer",
    "learning_rate_factor",
    "parameter_groups",
    "set_learning_rate",
    "spared_parameters",
]


def build_optimizer(
    parameters: Mapping[str, Tensor],
    spared: Iterable[str],
    config: TrainingSettings,
    betas: tuple[float, float] = (0.9, 0.999),
) -> torch.optim.Optimizer:
    """The fused optimiser of a configuration.

    Parameters
    ----------
    parameters
        Those of the network, by name.
    spared
        Names of those without weight decay, as :func:`spared_parameters` finds them.
    config
        Which optimiser, with which learning rate, weight decay and betas.
    betas
        Decay rates of the two moments where the configuration has none.
    """
    settings: dict[str, Any] = {
        "lr": config.learning_rate,
        "betas": config.betas or betas,
        "fused": True,
    }
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters.values(), **settings)
    groups = parameter_groups(parameters, spared, config.weight_decay)
    return torch.optim.AdamW(groups, **settings)


def parameter_groups(
    parameters: Mapping[str, Tensor], spared: Iterable[str], weight_decay: float
) -> list[dict[str, Any]]:
    """Groups of parameters with and without weight decay, those that are empty left out."""
    spared = set(spared)
    decayed = [p for name, p in parameters.items() if name not in spared]
    others = [p for name, p in parameters.items() if name in spared]
    groups = [(decayed, weight_decay), (others, 0.0)]
    return [{"params": own, "weight_decay": decay} for own, decay in groups if own]


def spared_parameters(network: nn.Module) -> set[str]:
    """Names of the parameters that weight decay spares.

    These are biases and the scales of normalisations, which have one dimension, and those that a
    module names in its attribute ``no_decay``, as a codebook.
    """
    vectors = {name for name, p in network.named_parameters() if p.ndim < 2}
    named = {
        f"{prefix}.{name}".lstrip(".")
        for prefix, module in network.named_modules()
        for name in getattr(module, "no_decay", ())
    }
    return vectors | named


def learning_rate_factor(
    schedule: str, *, share: float, step: int = 0, warm_up_steps: int = 0
) -> float:
    """Factor in [0, 1] on the learning rate of a step.

    Parameters
    ----------
    schedule
        ``constant``, ``linear`` or ``cosine``.
    share
        Part of the budget that was used before the step, in [0, 1].
    step
        Steps done before it.
    warm_up_steps
        Steps until the factor is whole.
    """
    courses = {
        "constant": 1.0,
        "linear": 1 - share,
        "cosine": 0.5 * (1 + math.cos(math.pi * share)),
    }
    warm_up = min(1.0, (step + 1) / warm_up_steps) if warm_up_steps else 1.0
    return courses[schedule] * warm_up


def set_learning_rate(
    optimizer: torch.optim.Optimizer, config: TrainingSettings, *, share: float, step: int
) -> None:
    """Set the learning rate of a step, as :func:`learning_rate_factor` has it."""
    factor = learning_rate_factor(
        config.schedule, share=share, step=step, warm_up_steps=config.warm_up_steps
    )
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * factor
