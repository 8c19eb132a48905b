"""Latents that are normally distributed given the image, as in a VAE."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from unweave.models.latents.space import Latents, LatentSpace, Posterior

__all__ = ["Gaussian"]


class Gaussian(LatentSpace):
    """A mean and a variance for each latent (Kingma and Welling 2014)."""

    title: ClassVar[str] = "Gaussian"
    name: Literal["gaussian"] = "gaussian"

    def n_encoded(self, n_latents: int) -> int:
        """Means and log variances."""
        return 2 * n_latents

    def build(self, n_latents: int) -> Latents:
        """Nothing is learnt but the encoder."""
        return _GaussianLatents()


class _GaussianLatents(Latents):
    def forward(self, encoded: Tensor) -> Posterior:
        return Posterior.of(encoded)
