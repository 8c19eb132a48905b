"""The variational autoencoder (Kingma and Welling 2014), shared by all objectives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from unweave.models.networks import ImageShape, Network, build_decoder, build_encoder

__all__ = ["VAE", "Posterior", "VAEOutput", "build_vae"]


class Posterior(NamedTuple):
    """The normal distributions q(z|x): ``mean`` and ``log_variance``, (n, latents) each."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Latents (n, latents) by the reparameterisation trick, from standard normal ``noise``."""
        return self.mean + torch.exp(0.5 * self.log_variance) * noise

    def kl(self) -> Tensor:
        """KL divergence (n, latents) in nats from the standard normal prior, in closed form."""
        return 0.5 * (self.mean**2 + self.log_variance.exp() - 1 - self.log_variance)


class VAEOutput(NamedTuple):
    """What one pass gives: the posterior, the latents drawn from it, the decoder's outputs."""

    posterior: Posterior
    latents: Tensor
    outputs: Tensor


class VAE(nn.Module):
    """An encoder to (mean, log variance) and a decoder from latents to pixel outputs.

    Parameters
    ----------
    encoder
        From images (n, channels, height, width) to (n, 2 * latents), means first.
    decoder
        From latents (n, latents) to outputs of the images' shape: logits or means, as the
        likelihood of the objective reads them.
    image_shape
        Height, width and channels of the images.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, image_shape: ImageShape) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.image_shape = tuple(image_shape)

    def posterior(self, images: Tensor) -> Posterior:
        """q(z|x) of images (n, channels, height, width) in [0, 1]."""
        return Posterior(*self.encoder(images).chunk(2, dim=1))

    def forward(self, images: Tensor, noise: Tensor | None) -> VAEOutput:
        """Encode, draw with ``noise`` (n, latents) or take the mean if it is None, decode."""
        posterior = self.posterior(images)
        latents = posterior.mean if noise is None else posterior.sample(noise)
        return VAEOutput(posterior, latents, self.decoder(latents))

    def encode(self, images: np.ndarray, *, batch_size: int = 512) -> np.ndarray:
        """Posterior means (n, latents) float32 of uint8 images (n, height, width, channels).

        Raises
        ------
        ValueError
            If the images are not uint8 of the model's shape.
        """
        return np.concatenate(
            [self._posterior_of(images[i : i + batch_size])[0] for i in _starts(images, batch_size)]
        )

    def encode_posterior(
        self, images: np.ndarray, *, batch_size: int = 512
    ) -> tuple[np.ndarray, np.ndarray]:
        """Posterior means and log variances, (n, latents) float32 each, of uint8 images."""
        pieces = [
            self._posterior_of(images[i : i + batch_size]) for i in _starts(images, batch_size)
        ]
        return np.concatenate([p[0] for p in pieces]), np.concatenate([p[1] for p in pieces])

    @torch.no_grad()
    def _posterior_of(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.shape[1:] != self.image_shape:
            raise ValueError(
                f"images must be uint8 of shape (n, {', '.join(map(str, self.image_shape))}), not "
                f"{images.dtype} of shape {images.shape}"
            )
        device = next(self.parameters()).device
        batch = torch.from_numpy(np.ascontiguousarray(images)).to(device)
        mean, log_variance = self.posterior(batch.permute(0, 3, 1, 2).float() / 255)
        return mean.float().cpu().numpy(), log_variance.float().cpu().numpy()


def build_vae(network: Network, image_shape: ImageShape, *, seed: int) -> VAE:
    """A VAE with weights drawn from ``seed``; torch's global generator is left as it was.

    Weights are uniform with the variance of He et al. (2015), https://arxiv.org/abs/1502.01852,
    biases are zero. (torch's default is a sixth of that variance; through nine layers the signal
    dies, and training sits for a thousand steps and more at a posterior that is the prior.)
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = build_encoder(network, image_shape)
        decoder = build_decoder(network, image_shape)
        for layer in [*encoder, *decoder]:
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
    return VAE(encoder, decoder, image_shape)


def _starts(images: np.ndarray, batch_size: int) -> range:
    return range(0, max(1, len(images)), batch_size)
