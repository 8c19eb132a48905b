"""Networks that are trained against a model."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.func import functional_call

from unweave.models.networks import ImageShape, Network, build_encoder

__all__ = ["build_critic", "build_discriminator", "frozen"]


def build_discriminator(n_latents: int, *, units: int = 1000, n_layers: int = 6) -> nn.Sequential:
    """From codes (n, latents) to logits (n, 1): Kim and Mnih (2018), appendix A."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise([n_latents, *[units] * n_layers]):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers, nn.Linear(units, 1))


def build_critic(network: Network, image_shape: ImageShape) -> nn.Module:
    """From images (n, channels, height, width) to scores (n, 1), as the network's encoder.

    Rectifiers leak, so that the gradient at an image, which a penalty holds near 1, has no holes.
    """
    critic = build_encoder(network, image_shape, n_outputs=1)
    for parent in list(critic.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.ReLU):
                setattr(parent, name, nn.LeakyReLU(0.2))
    return critic


def frozen(adversary: nn.Module, inputs: Tensor) -> Tensor:
    """The adversary's outputs, with a gradient for the inputs and none for its weights."""
    weights = {name: p.detach() for name, p in adversary.named_parameters()}
    return functional_call(adversary, weights, (inputs,))
