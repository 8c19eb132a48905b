"""InfoGAN (Chen et al. 2016)."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from unweave.models.adversaries import build_critic, frozen
from unweave.models.likelihoods import negative_log_likelihood, pixel_means
from unweave.models.networks import ImageShape, Network
from unweave.models.objectives.terms import AdversaryOptimizer, Batch, Objective, Terms
from unweave.models.vae import VAE, Posterior

__all__ = ["InfoGAN", "gradient_penalty"]


class InfoGAN(Objective):
    r"""A generator whose codes can be read off its images, against a critic.

    .. math:: \min_{G, Q} \max_D V(D, G) - \lambda\, E_{c, x \sim G(c)}[\log Q(c|x)]

    Equation 6 of https://arxiv.org/abs/1606.03657. The generator G is the model's decoder, the
    recognition network Q its encoder, with layers of its own; codes are normal where the paper
    has them uniform, so that samples and traversals are those of the other models, and
    ``Network.n_noise`` is the number of further inputs of G that Q does not see. V is the
    Wasserstein distance with gradient penalty (Gulrajani et al. 2017,
    https://arxiv.org/abs/1704.00028), which trains stably, or the paper's. The critic takes one
    step for each of the generator's, at a rate of its own (Heusel et al. 2017,
    https://arxiv.org/abs/1706.08500).

    Reconstruction and KL are recorded for the images of the batch, and not trained.
    """

    title: ClassVar[str] = "InfoGAN"
    symbol: ClassVar[str] = "λ"
    records: ClassVar[tuple[str, ...]] = ("information", "generator_loss", "critic_loss")
    smallest_batch: ClassVar[int] = 2
    betas: ClassVar[tuple[float, float]] = (0.0, 0.9)
    mixed_precision: ClassVar[bool] = False  # the gradient penalty is a small difference
    name: Literal["info_gan"] = "info_gan"
    information_weight: float = Field(default=1.0, ge=0)
    """Lambda: weight of the information between codes and images."""
    distance: Literal["wasserstein", "jensen_shannon"] = "wasserstein"
    """Between images of the data and of the generator."""
    penalty: float = Field(default=10.0, ge=0)
    """Weight of the gradient penalty (wasserstein)."""
    critic_learning_rate: float = Field(default=4e-4, gt=0)
    """Learning rate of the critic's Adam, with betas 0 and 0.9."""

    @property
    def strength(self) -> float:
        """Lambda."""
        return self.information_weight

    @property
    def adversary_optimizer(self) -> AdversaryOptimizer:
        """Adam without momentum, as Gulrajani et al. have it."""
        return AdversaryOptimizer(self.critic_learning_rate, (0.0, 0.9))

    def adversary(self, network: Network, image_shape: ImageShape) -> nn.Module:
        """The critic."""
        return build_critic(network, image_shape)

    def check_inputs(self, n_latents: int, n_inputs: int) -> None:
        """Any number of inputs of noise is accepted."""

    def _terms(self, model: VAE, batch: Batch, adversary: nn.Module | None) -> Terms:
        assert adversary is not None
        made = pixel_means(model.decoder(batch.prior))
        recognised = Posterior.of(model.encoder(made))
        surprise = _surprise(recognised, batch.prior)
        score = frozen(adversary, made)
        n_latents = recognised.mean.shape[1]
        information = 0.5 * n_latents * math.log(2 * math.pi * math.e) - surprise
        if self.distance == "wasserstein":
            generator = -score.mean()
        else:
            generator = F.softplus(-score).mean()
        critic = self._critic_loss(adversary, batch, made.detach())
        reconstruction, kl = self._of_images(model, batch)
        others = {
            "information": information,
            "generator_loss": generator,
            "critic_loss": critic,
        }
        value = generator + self.information_weight * surprise
        return Terms(value, reconstruction, kl, others, critic)

    def _critic_loss(self, critic: nn.Module, batch: Batch, made: Tensor) -> Tensor:
        of_data, of_made = critic(torch.cat([batch.images, made])).chunk(2)
        if self.distance == "jensen_shannon":
            return F.softplus(-of_data).mean() + F.softplus(of_made).mean()
        share = torch.special.ndtr(batch.noise[:, :1, None, None])  # uniform, as noise is normal
        between = batch.images + share * (made - batch.images)
        penalty = gradient_penalty(critic, between)
        return of_made.mean() - of_data.mean() + self.penalty * penalty

    @torch.no_grad()
    def _of_images(self, model: VAE, batch: Batch) -> tuple[Tensor, Tensor]:
        posterior = Posterior.of(model.encoder(batch.images))
        n_noise = batch.prior.shape[1] - posterior.mean.shape[1]
        outputs = model.decoder(F.pad(posterior.mean, (0, n_noise)))
        losses = negative_log_likelihood(outputs, batch.images, self.likelihood)
        return losses.mean(), posterior.kl().mean(dim=0)


def gradient_penalty(critic: nn.Module, images: Tensor) -> Tensor:
    """Mean squared distance from 1 of the norm of the critic's gradient at each image."""
    images = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    return ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()


def _surprise(recognised: Posterior, codes: Tensor) -> Tensor:
    """-log Q(c|x) in nats, the mean over the batch of the sum over codes."""
    mean, log_variance = recognised
    squares = (codes[:, : mean.shape[1]] - mean) ** 2 * torch.exp(-log_variance)
    return 0.5 * (squares + log_variance + math.log(2 * math.pi)).sum(dim=1).mean()
