"""Ada-GVAE and Ada-ML-VAE (Locatello et al. 2020)."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from unweave.models.objectives.pairs import PairObjective, halves, paired
from unweave.models.objectives.terms import Batch, Loss, Pass
from unweave.models.vae import VAE, Posterior, VAEOutput

__all__ = [
    "AdaGVAE",
    "AdaMLVAE",
    "average_of_normals",
    "kl_between",
    "product_of_normals",
    "shared_latents",
]


class _AdaVAE(PairObjective):
    """Both images of a pair get one posterior for the latents in which they hardly differ."""

    symbol: ClassVar[str] = "β"
    records: ClassVar[tuple[str, ...]] = ("shared_latents",)
    beta: float = Field(default=1.0, ge=0)
    """Weight of the KL divergence; the paper tries 1, 2, 4, 6, 8 and 16."""

    @property
    def strength(self) -> float:
        """Beta."""
        return self.beta

    def average(self, first: Posterior, second: Posterior) -> Posterior:
        """What both images get for the latents that they share."""
        raise NotImplementedError

    def share(self, posterior: Posterior) -> Posterior:
        """The posterior of a batch of pairs, averaged within each pair where latents are shared."""
        first, second = halves(posterior)
        shared = shared_latents(kl_between(first, second))
        average = self.average(first, second)
        both = (
            Posterior(*(torch.where(shared, a, o) for a, o in zip(average, own, strict=True)))
            for own in (first, second)
        )
        return paired(*both)

    def forward(self, model: VAE, batch: Batch) -> VAEOutput:
        """With averaged posteriors."""
        return model(batch.images, batch.noise, self.share)

    def loss(self, seen: Pass) -> Loss:
        """Reconstruction plus beta times KL; and how many latents the images of a pair share."""
        first, second = halves(seen.posterior)
        equal = (first.mean == second.mean) & (first.log_variance == second.log_variance)
        n_shared = equal.sum(dim=1).to(first.mean.dtype).mean()
        return Loss(seen.reconstruction + self.beta * seen.kl.sum(), {"shared_latents": n_shared})


class AdaGVAE(_AdaVAE):
    r"""A β-VAE on pairs of images that share all but some unknown factors.

    Latents are shared whose :math:`\delta_i = KL(q_1(z_i) \| q_2(z_i))` is below
    :math:`(\min_j \delta_j + \max_j \delta_j) / 2`. Both images get the mean of the two means and
    of the two variances for them (section 4 of https://arxiv.org/abs/2002.02886). The loss is that
    of the β-VAE with these posteriors, the mean over both images. Gradients pass through the
    averages to both encodings, and not through the choice of the latents.
    """

    title: ClassVar[str] = "Ada-GVAE, weakly supervised"
    name: Literal["ada_gvae"] = "ada_gvae"

    def average(self, first: Posterior, second: Posterior) -> Posterior:
        """The means of means and of variances."""
        return average_of_normals(first, second)


class AdaMLVAE(_AdaVAE):
    """Ada-GVAE with the product of both posteriors in place of their average.

    The product is that of the ML-VAE (Bouchacourt et al. 2018, https://arxiv.org/abs/1705.08841):
    precisions add, and means are weighted by them.
    """

    title: ClassVar[str] = "Ada-ML-VAE, weakly supervised"
    name: Literal["ada_ml_vae"] = "ada_ml_vae"
    variance: Literal["product", "harmonic"] = "product"
    """That of the product, or twice that, the harmonic mean of both variances, which the code of
    the paper has (disentanglement_lib)."""

    def average(self, first: Posterior, second: Posterior) -> Posterior:
        """The product, normalised."""
        mean, log_variance = product_of_normals(first, second)
        return Posterior(mean, log_variance + math.log(2) * (self.variance == "harmonic"))


def kl_between(first: Posterior, second: Posterior) -> Tensor:
    """KL divergence (n, latents) in nats of the first posteriors from the second, not symmetric."""
    ratio = first.log_variance - second.log_variance
    squares = (first.mean - second.mean) ** 2 * torch.exp(-second.log_variance)
    return 0.5 * (torch.exp(ratio) + squares - 1 - ratio)


def shared_latents(divergences: Tensor) -> Tensor:
    """Which latents (n, latents) the images of a pair share, from the divergences in each latent.

    Those below the middle between the least and the largest divergence of the pair. The latent of
    the largest is never among them, unless the posteriors are the same in it.
    """
    divergences = divergences.detach()
    least, most = divergences.aminmax(dim=1, keepdim=True)
    return (divergences < 0.5 * (least + most)) | (divergences == 0)


def average_of_normals(first: Posterior, second: Posterior) -> Posterior:
    """The normal distributions with the mean of two means and the mean of two variances."""
    mean = 0.5 * (first.mean + second.mean)
    both = torch.logaddexp(first.log_variance, second.log_variance)
    return Posterior(mean, both - math.log(2))


def product_of_normals(first: Posterior, second: Posterior) -> Posterior:
    """The normalised product of two normal densities: precisions add."""
    weight = torch.sigmoid(second.log_variance - first.log_variance)  # of the first: its precision
    mean = weight * first.mean + (1 - weight) * second.mean
    return Posterior(mean, -torch.logaddexp(-first.log_variance, -second.log_variance))
