"""Objectives: what a model is trained to minimise. One file each; a new file needs nothing else."""

from __future__ import annotations

import functools
import importlib
import operator
import pkgutil
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from unweave.models.objectives.annealed_vae import AnnealedVAE
from unweave.models.objectives.autoencoder import AE
from unweave.models.objectives.beta_tc_vae import BetaTCVAE
from unweave.models.objectives.beta_vae import BetaVAE
from unweave.models.objectives.dc_ign import DCIGN
from unweave.models.objectives.dip_vae import DIPVAEI, DIPVAEII
from unweave.models.objectives.factor_vae import FactorVAE
from unweave.models.objectives.info_gan import InfoGAN
from unweave.models.objectives.info_vae import InfoVAE
from unweave.models.objectives.terms import Batch, Loss, Objective, Pass, Terms
from unweave.models.objectives.vae import VAE

__all__ = [
    "AE",
    "DCIGN",
    "DIPVAEI",
    "DIPVAEII",
    "OBJECTIVES",
    "VAE",
    "AnnealedVAE",
    "AnyObjective",
    "Batch",
    "BetaTCVAE",
    "BetaVAE",
    "FactorVAE",
    "InfoGAN",
    "InfoVAE",
    "Loss",
    "Objective",
    "Pass",
    "Terms",
]


def _found_here() -> dict[str, type[Objective]]:
    """The objectives of this folder, by name."""
    found = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for value in vars(module).values():
            is_objective = isinstance(value, type) and issubclass(value, Objective)
            if is_objective and value.model_fields["name"].is_required() is False:
                found[value.model_fields["name"].default] = value
    return found


OBJECTIVES = _found_here()
"""Every objective, by its name."""

if TYPE_CHECKING:
    AnyObjective = Objective
else:
    _union = functools.reduce(operator.or_, OBJECTIVES.values())
    AnyObjective = Annotated[_union, Field(discriminator="name")]
    """Any of the objectives, told apart by its name: the type of a study file's entry."""
