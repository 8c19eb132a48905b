"""Objectives: what a model is trained to minimise. One file each; a new file needs nothing else."""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from unweave.models._found import named_kinds
from unweave.models.objectives.ada_vae import AdaGVAE, AdaMLVAE
from unweave.models.objectives.annealed_vae import AnnealedVAE
from unweave.models.objectives.autoencoder import AE
from unweave.models.objectives.beta_tc_vae import BetaTCVAE
from unweave.models.objectives.beta_vae import BetaVAE
from unweave.models.objectives.dc_ign import DCIGN
from unweave.models.objectives.dip_vae import DIPVAEI, DIPVAEII
from unweave.models.objectives.factor_vae import FactorVAE
from unweave.models.objectives.info_gan import InfoGAN
from unweave.models.objectives.info_vae import InfoVAE
from unweave.models.objectives.lie_group_vae import LieGroupVAE
from unweave.models.objectives.pairs import PairObjective
from unweave.models.objectives.qlae import QLAE
from unweave.models.objectives.slow_vae import SlowVAE
from unweave.models.objectives.terms import Batch, Loss, Objective, Pass, Terms
from unweave.models.objectives.tripod import Tripod
from unweave.models.objectives.vae import VAE

__all__ = [
    "AE",
    "DCIGN",
    "DIPVAEI",
    "DIPVAEII",
    "OBJECTIVES",
    "QLAE",
    "VAE",
    "AdaGVAE",
    "AdaMLVAE",
    "AnnealedVAE",
    "AnyObjective",
    "Batch",
    "BetaTCVAE",
    "BetaVAE",
    "FactorVAE",
    "InfoGAN",
    "InfoVAE",
    "LieGroupVAE",
    "Loss",
    "Objective",
    "PairObjective",
    "Pass",
    "SlowVAE",
    "Terms",
    "Tripod",
]


OBJECTIVES = named_kinds(__name__, __path__, Objective)
"""Every objective, by its name."""

if TYPE_CHECKING:
    AnyObjective = Objective
else:
    _union = functools.reduce(operator.or_, OBJECTIVES.values())
    AnyObjective = Annotated[_union, Field(discriminator="name")]
    """Any of the objectives, chosen by its name: the type of a study file's entry."""
