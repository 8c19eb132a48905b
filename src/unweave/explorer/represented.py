"""Images of a dataset as models encode them: what a page knows of each model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from unweave.datasets import ImageDataset
from unweave.encoders import Encoder, encode_rows, load_encoder
from unweave.encoders.run import RunEncoder
from unweave.explorer.layers import (
    Layer,
    UnknownLayerError,
    decoder_layers,
    encoder_layers,
)
from unweave.models import VAE, count_parameters
from unweave.models.vae import mean_divergence

__all__ = ["Represented", "represent", "with_network"]

_BATCH = 256  # images
_WEIGHTS = 5_200_000  # bytes of the networks of all models: two thirds of what images leave
_RANGE = 3.0  # standard deviations of the prior


@dataclass(frozen=True)
class Represented:
    """A model and its codes of the rows that are shown."""

    name: str
    codes: np.ndarray
    """(rows, latents)"""
    sentence: str = ""
    rates: np.ndarray | None = None
    """Nats (latents,) that each latent holds of an image."""
    rate: str = ""
    """What the rates are: KL divergence from the prior, or entropy of the values."""
    values: np.ndarray | None = None
    """Values (latents, values) of quantised latents, in increasing order."""
    n_inputs: int = 0
    """Inputs of the decoder."""
    has_prior: bool = False
    """Whether random codes are drawn from a standard normal distribution."""
    encoder: list[Layer] | None = None
    decoder: list[Layer] | None = None
    image_shape: tuple[int, int, int] | None = None
    """Height, width and channels of the images that the networks take and make."""
    notes: tuple[str, ...] = ()

    @property
    def reach(self) -> np.ndarray:
        """Lowest and highest value (latents, 2) of each latent's slider."""
        low, high = self.codes.min(axis=0), self.codes.max(axis=0)
        if self.values is not None:
            return self.values[:, [0, -1]]
        ends = np.stack([low, high], axis=1).astype(np.float64)
        if self.has_prior:
            ends[:, 0], ends[:, 1] = np.minimum(ends[:, 0], -_RANGE), np.maximum(ends[:, 1], _RANGE)
        return ends


def with_network(given: object, dataset: ImageDataset | None) -> Encoder | VAE:
    """The model or encoder that a name or an object stands for.

    Raises
    ------
    ValueError, FileNotFoundError, ImportError
        As :func:`~unweave.encoders.load_encoder`.
    """
    if isinstance(given, VAE | Encoder):
        return given
    return load_encoder(given, dataset=dataset)


def represent(
    model: Encoder | VAE,
    dataset: ImageDataset,
    rows: np.ndarray,
    *,
    name: str,
    share: float = 1.0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Represented:
    """Encode the rows, and lay out the model's networks for the page.

    ``share`` is the part of the page's room for networks that the model may take.

    Raises
    ------
    ValueError
        If the model is for images of another shape.
    """
    network: Any = model.model if isinstance(model, RunEncoder) else model
    if isinstance(network, VAE):
        return _of_vae(network, dataset, rows, name, share, progress)
    encoder = cast(Encoder, model)

    def report(done: int, total: int) -> None:
        if progress:
            progress("encoding", done, total)

    codes = np.asarray(encode_rows(encoder, dataset, rows, progress=report))
    why = (
        f"{encoder.card.name} has no decoder: there are no latents to move, and images that are "
        "dropped in cannot be encoded in the page"
    )
    parameters = encoder.card.parameters
    size = "" if not parameters else f", {parameters:,} parameters"
    sentence = f"{encoder.card.kind} encoder, {codes.shape[1]:,} latents{size}"
    return Represented(name, codes, sentence, notes=(why,))


def _of_vae(
    model: VAE,
    dataset: ImageDataset,
    rows: np.ndarray,
    name: str,
    share: float,
    progress: Callable[[str, int, int], None] | None,
) -> Represented:
    model = model.eval()
    pieces, spreads = [], []
    for start in range(0, len(rows), _BATCH):
        images = dataset.images(rows[start : start + _BATCH])
        if model.has_posterior:
            means, log_variances = model.encode_posterior(images)
            spreads.append(log_variances)
        else:
            means = model.encode(images)
        pieces.append(means)
        if progress:
            progress("encoding", min(start + _BATCH, len(rows)), len(rows))
    codes = np.concatenate(pieces)
    values = model.values()
    if spreads:
        rates, rate = mean_divergence(codes, np.concatenate(spreads)), "KL from the prior"
    else:
        rates, rate = np.array([_entropy(column) for column in codes.T]), "entropy of its values"
    notes: list[str] = []
    encoder, decoder = _networks(model, share * _WEIGHTS, notes)
    network = model.network
    kind = f"{network.name} network, width {network.width:g}" if network else "its own network"
    return Represented(
        name,
        codes,
        f"{kind}, {model.n_latents} {model.latent_space.title} latents, "
        f"{count_parameters(model):,} parameters",
        rates=rates,
        rate=rate,
        values=None if values is None else np.sort(values, axis=1),
        n_inputs=model.n_inputs,
        has_prior=model.has_posterior,
        encoder=encoder,
        decoder=decoder,
        image_shape=model.image_shape,
        notes=tuple(notes),
    )


def _entropy(column: np.ndarray) -> float:
    shares = np.unique(column, return_counts=True)[1] / len(column)
    return float(-(shares * np.log(shares)).sum())


def _networks(
    model: VAE, room: float, notes: list[str]
) -> tuple[list[Layer] | None, list[Layer] | None]:
    """Layers of encoder and decoder; None for what does not fit or is not known, with a note.

    Where both do not fit in single precision they are kept in half precision, and where that is
    too much, the decoder alone.
    """
    sizes = [
        sum(4 * parameter.numel() for parameter in part.parameters())
        for part in (model.encoder, model.decoder)
    ]
    encoder = decoder = None
    if sizes[1] / 2 <= room:
        decoder = _layers(lambda: decoder_layers(model), notes)
    else:
        notes.append(
            f"a decoder of {sizes[1] / 1e6:,.0f} MB does not fit into the page, which has room for "
            f"{2 * room / 1e6:,.0f} MB: there are no latents to move"
        )
    if sum(sizes) / 2 <= room:
        encoder = _layers(lambda: encoder_layers(model), notes)
    elif decoder is not None:
        notes.append(
            f"an encoder of {sizes[0] / 1e6:,.0f} MB does not fit into the page beside the decoder:"
            " images that are dropped in have no code"
        )
    kept = sum(size for size, part in zip(sizes, (encoder, decoder), strict=True) if part)
    if kept <= room:
        return encoder, decoder
    notes.append(
        "the weights of a large network are kept in half precision: pixels may differ by a level "
        "or two"
    )
    return _halved(encoder), _halved(decoder)


def _layers(make: Callable[[], list[Layer]], notes: list[str]) -> list[Layer] | None:
    try:
        return make()
    except UnknownLayerError as error:
        notes.append(str(error))
        return None


def _halved(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _halved(value) for key, value in part.items()}
    if isinstance(part, Sequence) and not isinstance(part, str):
        return [_halved(value) for value in part]
    is_weights = isinstance(part, np.ndarray) and part.dtype == np.float32
    return part.astype(np.float16) if is_weights else part
