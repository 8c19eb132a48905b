"""The variational autoencoder (Kingma and Welling 2014), shared by all objectives."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from huggingface_hub import ModelCard, ModelHubMixin
from torch import Tensor, nn

from unweave._random import Stream, torch_seeded
from unweave.datasets.pixels import as_array, check_shape, to_uint8
from unweave.models import pretrained
from unweave.models.likelihoods import pixel_means
from unweave.models.networks import (
    ImageShape,
    Network,
    build_decoder,
    build_encoder,
    initialise,
)

__all__ = ["VAE", "Posterior", "VAEOutput", "build_vae"]


class Posterior(NamedTuple):
    """The normal distributions q(z|x): ``mean`` and ``log_variance``, (n, latents) each."""

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def of(cls, encoded: Tensor) -> Posterior:
        """From an encoder's outputs (n, 2 * latents), means first."""
        return cls(*encoded.chunk(2, dim=1))

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


class VAE(nn.Module, ModelHubMixin, library_name="unweave"):  # type: ignore[call-arg]
    """An encoder to (mean, log variance) and a decoder from latents to pixel outputs.

    ``save_pretrained``, ``from_pretrained`` and ``push_to_hub`` are those of the Hugging Face hub;
    the first two need no network for a local folder.

    Parameters
    ----------
    encoder
        From images (n, channels, height, width) to (n, 2 * latents), means first.
    decoder
        From latents (n, latents) to outputs of the images' shape: logits or means, as the
        likelihood of the objective reads them.
    image_shape
        Height, width and channels of the images.
    network
        What encoder and decoder were built from; without it the model cannot be saved.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        image_shape: ImageShape,
        network: Network | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.image_shape: ImageShape = tuple(image_shape)  # type: ignore[assignment]
        self.network = network

    @property
    def n_latents(self) -> int:
        """Latents of the encoder."""
        if self.network is not None:
            return self.network.n_latents
        height, width, channels = self.image_shape
        with torch.no_grad():
            image = next(self.parameters()).new_zeros(1, channels, height, width)
            return self.posterior(image).mean.shape[1]

    @property
    def n_inputs(self) -> int:
        """Inputs of the decoder: latents, and noise that the encoder does not see."""
        return self.network.n_inputs if self.network is not None else self.n_latents

    def posterior(self, images: Tensor) -> Posterior:
        """q(z|x) of images (n, channels, height, width) in [0, 1]."""
        return Posterior.of(self.encoder(images))

    def forward(self, images: Tensor, noise: Tensor | None) -> VAEOutput:
        """Encode, draw with ``noise`` (n, latents) or take the mean if it is None, decode.

        Inputs of the decoder beside the latents are zero.
        """
        posterior = self.posterior(images)
        latents = posterior.mean if noise is None else posterior.sample(noise)
        n_noise = self.network.n_noise if self.network is not None else 0
        inputs = F.pad(latents, (0, n_noise)) if n_noise else latents
        return VAEOutput(posterior, latents, self.decoder(inputs))

    @torch.no_grad()
    def decode(self, latents: np.ndarray, *, batch_size: int = 512) -> np.ndarray:
        """Expected images (n, height, width, channels) uint8 of latents (n, latents).

        Inputs of the decoder beside the latents are zero, if they are not given as further columns.
        """
        device = next(self.parameters()).device
        rows = np.asarray(latents, dtype=np.float32)
        rows = np.pad(rows, ((0, 0), (0, self.n_inputs - rows.shape[1])))
        pieces = []
        for start in _starts(rows, batch_size):
            batch = torch.from_numpy(rows[start : start + batch_size]).to(device)
            pixels = pixel_means(self.decoder(batch)).permute(0, 2, 3, 1).float().cpu().numpy()
            pieces.append(np.rint(255 * pixels).astype(np.uint8))
        return np.concatenate(pieces)

    def encode(
        self, images: np.ndarray, *, batch_size: int = 512, unscaled: bool = False
    ) -> np.ndarray:
        """Posterior means (n, latents) float32 of images (n, height, width, channels).

        Parameters
        ----------
        images
            uint8, or converted to it by the rule of
            :class:`~unweave.datasets.pixels.PixelScale`: bool, floats in [0, 1] or uint16.
        batch_size
            Images that pass through the network at once.
        unscaled
            Take uint8 images of zeros and ones for almost black, instead of refusing them.

        Raises
        ------
        ValueError
            If the images are of another shape than the model's, or cannot be converted.
        """
        return self.encode_posterior(images, batch_size=batch_size, unscaled=unscaled)[0]

    def encode_posterior(
        self, images: np.ndarray, *, batch_size: int = 512, unscaled: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Posterior means and log variances, (n, latents) float32 each, of images.

        Parameters and errors are those of :meth:`encode`.
        """
        array = as_array(images, "images")
        check_shape(array.shape, self.image_shape, "images")
        levels = to_uint8(array, unscaled=unscaled)
        pieces = [
            self._posterior_of(levels[i : i + batch_size]) for i in _starts(levels, batch_size)
        ]
        return np.concatenate([p[0] for p in pieces]), np.concatenate([p[1] for p in pieces])

    @torch.no_grad()
    def _posterior_of(self, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        device = next(self.parameters()).device
        batch = torch.from_numpy(np.require(levels, requirements=["C", "W"])).to(device)
        mean, log_variance = self.posterior(batch.permute(0, 3, 1, 2).float() / 255)
        return mean.float().cpu().numpy(), log_variance.float().cpu().numpy()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> VAE:
        """The model of a local folder, or of a repository on the hub.

        Raises
        ------
        FileNotFoundError, ValueError
            If the folder holds no model, a damaged one, or one of another version.
        """
        if Path(pretrained_model_name_or_path).is_dir():
            pretrained.read_config(Path(pretrained_model_name_or_path))
        return super().from_pretrained(pretrained_model_name_or_path, **options)

    def _save_pretrained(self, save_directory: Path) -> None:
        pretrained.save(self, save_directory)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> VAE:
        folder = pretrained.local_folder(model_id, **options)
        config = pretrained.read_config(folder)
        network = Network(**config["network"])
        model = build_vae(network, tuple(config["image_shape"]), seed=0)
        pretrained.load_weights(model, folder / pretrained.WEIGHTS)
        return model.eval()

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """A card that says what the model is, how it was trained, and how it scores."""
        return pretrained.card(self, kwargs.get("result"), kwargs.get("imported"))


def build_vae(network: Network, image_shape: ImageShape, *, seed: int) -> VAE:
    """A VAE with weights drawn from ``seed``; torch's global generator is left as it was.

    Raises
    ------
    ValueError
        If the network cannot take images of this shape.
    """
    with torch_seeded(seed, Stream.WEIGHTS):
        encoder = build_encoder(network, image_shape)
        decoder = build_decoder(network, image_shape)
        initialise(encoder, decoder)
    return VAE(encoder, decoder, image_shape, network)


def _starts(images: np.ndarray, batch_size: int) -> range:
    return range(0, max(1, len(images)), batch_size)
