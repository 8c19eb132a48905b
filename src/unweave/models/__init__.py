"""Models: the VAE, its networks, its likelihoods, and the objectives that it is trained with."""

from unweave.models.networks import NETWORKS, Network, build_decoder, build_encoder
from unweave.models.vae import VAE, Posterior, VAEOutput, build_vae

__all__ = [
    "NETWORKS",
    "VAE",
    "Network",
    "Posterior",
    "VAEOutput",
    "build_decoder",
    "build_encoder",
    "build_vae",
]
