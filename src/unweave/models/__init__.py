"""Models: the VAE, its networks, its likelihoods, and the objectives that it is trained with."""

from unweave._extras import require

require("models", needed_by="unweave.models")

from unweave._settings import NetworkSettings
from unweave.models.decomposition import Decomposition, decompose_kl
from unweave.models.networks import (
    NETWORKS,
    Network,
    build_decoder,
    build_encoder,
    count_parameters,
    initialise,
)
from unweave.models.shipped import shipped_models
from unweave.models.vae import VAE, Posterior, VAEOutput, build_vae

__all__ = [
    "NETWORKS",
    "VAE",
    "Decomposition",
    "Network",
    "NetworkSettings",
    "Posterior",
    "VAEOutput",
    "build_decoder",
    "build_encoder",
    "build_vae",
    "count_parameters",
    "decompose_kl",
    "initialise",
    "shipped_models",
]
