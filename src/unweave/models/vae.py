"""The autoencoder that all objectives train: encoder, latents, decoder."""

from __future__ import annotations

from collections.abc import Callable
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
from unweave.models.latents import Gaussian, Latents, LatentSpace, Posterior, Quantisation
from unweave.models.likelihoods import pixel_means
from unweave.models.networks import (
    ImageShape,
    Network,
    build_decoder,
    build_encoder,
    initialise,
)
from unweave.models.shipped import PREFIX, model_folder

__all__ = ["VAE", "Posterior", "VAEOutput", "build_vae", "mean_divergence"]


class VAEOutput(NamedTuple):
    """What one pass gives: what is known of the latents, the latents, the decoder's outputs."""

    posterior: Posterior | Quantisation
    """What the encoder says of the latents: their distribution, or their values."""
    latents: Tensor
    """What the decoder got."""
    outputs: Tensor


class VAE(nn.Module, ModelHubMixin, library_name="unweave"):  # type: ignore[call-arg]
    """An encoder, latents of any kind, and a decoder from latents to pixel outputs.

    With Gaussian latents, the default, it is the variational autoencoder of Kingma and Welling
    (2014); the encoder then gives means and log variances.

    ``save_pretrained``, ``from_pretrained`` and ``push_to_hub`` are those of the Hugging Face hub;
    the first two need no network for a local folder.

    Parameters
    ----------
    encoder
        From images (n, channels, height, width) to what the latents are made of: of Gaussian ones
        (n, 2 * latents), means first.
    decoder
        From latents (n, latents) to outputs of the images' shape: logits or means, as the
        likelihood of the objective reads them.
    image_shape
        Height, width and channels of the images.
    network
        What encoder and decoder were built from; without it the model cannot be saved, and its
        latents are Gaussian.
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
        self.latents: Latents = self.latent_space.build(network.n_latents if network else 0)

    @property
    def latent_space(self) -> LatentSpace:
        """Which values the latents take."""
        return Gaussian() if self.network is None else self.network.latent_space

    @property
    def has_posterior(self) -> bool:
        """Whether latents are distributions, with a KL divergence, and not values."""
        return isinstance(self.latent_space, Gaussian)

    @property
    def groups(self) -> tuple[int, ...]:
        """Sizes of the groups of latents that may depend on each other; empty if none may."""
        return () if self.network is None else self.latent_space.groups_of(self.network.n_latents)

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

    def posterior(self, images: Tensor) -> Posterior | Quantisation:
        """Latents of images (n, channels, height, width) in [0, 1]: q(z|x), or their values."""
        return self.latents(self.encoder(images))

    def forward(
        self,
        images: Tensor,
        noise: Tensor | None,
        change: Callable[[Any], Posterior] | None = None,
    ) -> VAEOutput:
        """Encode, draw with ``noise`` (n, latents) or take the mean if it is None, decode.

        Inputs of the decoder beside the latents are zero. With ``change``, latents are drawn from
        what it makes of the posterior, which is then the posterior of the output.
        """
        posterior = self.posterior(images)
        if change is not None:
            posterior = change(posterior)
        latents = posterior.decoded(noise)
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
        """Codes (n, latents) float32 of images (n, height, width, channels).

        They are posterior means, or the values of quantised latents.

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
        return self._encoded(images, batch_size, unscaled)[0]

    def encode_posterior(
        self, images: np.ndarray, *, batch_size: int = 512, unscaled: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Posterior means and log variances, (n, latents) float32 each, of images.

        Parameters are those of :meth:`encode`.

        Raises
        ------
        ValueError
            As :meth:`encode`, or if the latents are quantised.
        """
        if not self.has_posterior:
            raise ValueError(
                f"{self.latent_space.title} latents have no posterior: take encode, and "
                "indices_of for the numbers of their values"
            )
        means, log_variances = self._encoded(images, batch_size, unscaled)
        return means, log_variances

    def indices_of(self, codes: np.ndarray) -> np.ndarray | None:
        """Which of its values each latent takes, (n, latents) int64 from 0 on.

        None if latents are not quantised. Values are in the order of :meth:`values`.

        Parameters
        ----------
        codes
            Codes (n, latents) as :meth:`encode` gives them.
        """
        values = self.values()
        if values is None:
            return None
        columns = [
            np.abs(column[:, None] - own).argmin(axis=1)
            for column, own in zip(np.asarray(codes).T, values, strict=True)
        ]
        return np.stack(columns, axis=1)

    def values(self) -> np.ndarray | None:
        """The values (latents, values) that quantised latents take; None for other latents.

        They need not be in increasing order.
        """
        found = self.latents.values()
        return None if found is None else found.detach().cpu().numpy()

    def encode_with_rates(
        self, images: np.ndarray, *, batch_size: int = 512
    ) -> tuple[np.ndarray, np.ndarray]:
        """Codes (n, latents) float32 of images, and the rate (latents,) in nats of each latent.

        The rate is the mean KL divergence of the posterior from the prior, or the entropy of the
        values that a quantised latent takes among the images. Parameters and errors are those of
        :meth:`encode`.
        """
        codes, log_variances = self._encoded(images, batch_size, False)
        if self.has_posterior:
            return codes, mean_divergence(codes, log_variances)
        shares = [np.unique(column, return_counts=True)[1] / len(codes) for column in codes.T]
        return codes, np.array([-(p * np.log(p)).sum() for p in shares])

    def _encoded(
        self, images: np.ndarray, batch_size: int, unscaled: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Codes (n, latents), and log variances, empty for quantised latents."""
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
        found = self.posterior(batch.permute(0, 3, 1, 2).float() / 255)
        spread = found.log_variance if isinstance(found, Posterior) else found.mean[:, :0]
        return found.mean.float().cpu().numpy(), spread.float().cpu().numpy()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> VAE:
        """The model of a local folder, of a repository on the hub, or of this package.

        ``pretrained:NAME`` is one that comes with the package
        (:func:`~unweave.models.shipped_models` has their names).

        Raises
        ------
        FileNotFoundError, ValueError
            If the folder holds no model, a damaged one, or one of another version; or no model of
            that name comes with the package.
        """
        place = pretrained_model_name_or_path
        if str(place).startswith(PREFIX):
            place = model_folder(place)
        if Path(place).is_dir():
            pretrained.read_config(Path(place))
        return super().from_pretrained(place, **options)

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
        return pretrained.card(self, kwargs.get("record"), kwargs.get("imported"))


def mean_divergence(means: np.ndarray, log_variances: np.ndarray) -> np.ndarray:
    """Mean Kullback-Leibler divergence (latents,) in nats of posteriors (rows, latents)."""
    terms = means.astype(np.float64) ** 2 + np.exp(log_variances.astype(np.float64))
    return (0.5 * (terms - 1 - log_variances)).mean(axis=0)


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
