"""What all objectives are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from unweave.models.likelihoods import Likelihood, negative_log_likelihood
from unweave.models.vae import VAEOutput

__all__ = ["Objective", "Terms"]


class Terms(NamedTuple):
    """One batch's loss and its parts, all in nats per image: means over the batch of sums."""

    loss: Tensor
    """What is minimised."""
    reconstruction: Tensor
    """-log p(x|z)."""
    kl: Tensor
    """KL divergence of the posterior from the prior, (latents,)."""
    weights: Mapping[str, float]
    """What the objective multiplied or aimed at in this step, for the record."""


class Objective(BaseModel):
    """What a VAE is trained to minimise.

    A new objective is a subclass with a ``name`` and a ``loss``; its fields are its
    hyper-parameters, and become options of ``unweave train`` and keys of study files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    likelihood: Likelihood = "bernoulli"
    """Distribution of a pixel: bernoulli, gaussian or laplace."""

    @property
    def strength(self) -> float | None:
        """The hyper-parameter that tells runs of this objective apart, if it has one."""
        return None

    @property
    def samples(self) -> bool:
        """Whether latents are drawn from the posterior, or are its means."""
        return True

    def loss(
        self, reconstruction: Tensor, kl: Tensor, step: int
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss, and the weights used, from the means over the batch of its terms.

        Parameters
        ----------
        reconstruction
            -log p(x|z) in nats per image.
        kl
            KL divergence in nats per image, (latents,).
        step
            Training steps done before this one.
        """
        raise NotImplementedError

    def __call__(self, model: nn.Module, images: Tensor, *, step: int, noise: Tensor) -> Terms:
        """The terms of a batch of images (n, channels, height, width) in [0, 1]."""
        out: VAEOutput = model(images, noise if self.samples else None)
        losses = negative_log_likelihood(out.outputs, images, self.likelihood)
        reconstruction = losses.mean()
        kl = out.posterior.kl().mean(dim=0)
        loss, weights = self.loss(reconstruction, kl, step)
        return Terms(loss, reconstruction, kl, weights)
