"""The commutative Lie group VAE (Zhu et al. 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from unweave.models.lie_group import matrix_parts
from unweave.models.likelihoods import negative_log_likelihood
from unweave.models.networks import Network
from unweave.models.objectives.terms import Batch, Objective, Terms
from unweave.models.vae import VAE, Posterior

__all__ = ["LieGroupVAE", "commutators", "products"]


class LieGroupVAE(Objective):
    r"""A VAE whose decoder sees :math:`G(t) = \exp(\sum_i t_i A_i)`, with learnt generators.

    .. math::
        R + KL(t) + \rho \|g - \mathrm{vec}\,G(t)\|^2
        + \lambda\, \frac{1}{n^2} \sum_{i \neq j} \|A_i A_j\|_F^2
        + \kappa\, \frac{1}{n^2} \sum_{i \neq j} \|A_i A_j - A_j A_i\|_F^2

    https://arxiv.org/abs/2106.03375, with n latents and the encoder's own matrices g, from which it
    reads t. Where all products of two generators vanish, so do the second derivatives of G between
    latents, and the generators commute. A share of the images is reconstructed from g; it is drawn
    for each image, in their code for each batch, which has the same mean. The weights are those of
    their code on dSprites (for Shapes3D: matrices of 20 and a weight of 20). Its term of
    commutators, off by default, takes the transpose of a product for the product of the transposed
    order; here it is that of the paper.
    """

    title: ClassVar[str] = "commutative Lie group VAE"
    symbol: ClassVar[str] = "λ"
    records: ClassVar[tuple[str, ...]] = ("matrix_distance", "products", "commutators")
    mixed_precision: ClassVar[bool] = False  # of a matrix exponential
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "network": {"matrix_size": 10},
        "training": {"batch_size": 256, "learning_rate": 1e-4},
    }
    name: Literal["lie_group_vae"] = "lie_group_vae"
    product_weight: float = Field(default=40.0, ge=0)
    """Lambda: weight of the products of two generators."""
    commutator_weight: float = Field(default=0.0, ge=0)
    """Kappa: weight of the commutators of two generators."""
    matrix_weight: float = Field(default=0.1, ge=0)
    """Rho: weight of the squared distance of the encoder's matrices from the decoder's."""
    matrix_share: float = Field(default=0.2, ge=0, le=1)
    """Share of the images that are reconstructed from the encoder's matrices."""

    @property
    def strength(self) -> float:
        """Lambda."""
        return self.product_weight

    def check_network(self, network: Network) -> None:
        """Refuse a network without matrices.

        Raises
        ------
        ValueError
            If it has none.
        """
        if network.matrix_size is None:
            raise ValueError(
                "lie_group_vae needs a decoder of matrices: set matrix_size of the network, as 10"
            )

    def _terms(self, model: VAE, batch: Batch, adversary: nn.Module | None) -> Terms:
        to_matrices, to_latents, exponential, to_outputs = matrix_parts(model)
        encoded = to_matrices(batch.images)
        posterior = Posterior.of(to_latents(encoded))
        made = exponential(posterior.sample(batch.noise))
        # Uniform, as `prior` is normal, and not used for anything else.
        from_encoder = torch.special.ndtr(batch.prior[:, :1]) < self.matrix_share
        outputs = to_outputs(torch.where(from_encoder, encoded, made))
        losses = negative_log_likelihood(outputs, batch.images, self.likelihood)
        reconstruction, kl = losses.mean(), posterior.kl().mean(dim=0)
        distance = ((encoded - made) ** 2).sum(dim=1).mean()
        product, commutator = products(exponential.generators), commutators(exponential.generators)
        value = reconstruction + kl.sum() + self.matrix_weight * distance
        value = value + self.product_weight * product + self.commutator_weight * commutator
        others = {"matrix_distance": distance, "products": product, "commutators": commutator}
        return Terms(value, reconstruction, kl, others)


def products(generators: Tensor) -> Tensor:
    r""":math:`\frac{1}{n^2} \sum_{i \neq j} \|A_i A_j\|_F^2` of generators (n, size, size)."""
    squares = (_pairs(generators) ** 2).sum(dim=(2, 3))
    return (squares.sum() - squares.diagonal().sum()) / squares.numel()


def commutators(generators: Tensor) -> Tensor:
    r""":math:`\frac{1}{n^2} \sum_{i \neq j} \|A_i A_j - A_j A_i\|_F^2`, likewise."""
    pairs = _pairs(generators)
    return ((pairs - pairs.transpose(0, 1)) ** 2).sum(dim=(2, 3)).mean()


def _pairs(generators: Tensor) -> Tensor:
    """Products A_i A_j, (n, n, size, size)."""
    return generators[:, None] @ generators[None]
