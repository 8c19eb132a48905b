"""Objectives: what a VAE is trained to minimise. One file each."""

from typing import Annotated

from pydantic import Field

from unweave.models.objectives.annealed_vae import AnnealedVAE
from unweave.models.objectives.autoencoder import AE
from unweave.models.objectives.beta_vae import BetaVAE
from unweave.models.objectives.terms import Objective, Terms
from unweave.models.objectives.vae import VAE

__all__ = ["AE", "VAE", "AnnealedVAE", "AnyObjective", "BetaVAE", "Objective", "Terms"]

AnyObjective = Annotated[AE | VAE | BetaVAE | AnnealedVAE, Field(discriminator="name")]
"""Any of the objectives, told apart by its name: the type of a study file's entry."""
