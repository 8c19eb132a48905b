"""`run:FOLDER`, `run:FOLDER@STEP` and `pretrained:NAME`: models that were trained here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unweave._files import read_json
from unweave.encoders.encoder import Card, Encoder, Request, hash_tensors
from unweave.encoders.preprocessing import checked_images
from unweave.models import VAE
from unweave.models.pretrained import read_training
from unweave.models.shipped import model_folder
from unweave.training import load_model
from unweave.training.course import CONFIG, RunConfig

__all__ = ["RunEncoder", "load", "load_shipped", "trained_on"]


def load(request: Request) -> Encoder:
    """The model of a run's folder, at its last checkpoint or at STEP.

    Codes are posterior means, or values of quantised latents.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder is not a run, has no checkpoint of that step, or the dataset has images of
        another shape.
    """
    folder, step = _folder_and_step(request.rest)
    model = load_model(folder, step=step)
    _check_images(request, model)
    return RunEncoder(model, request.name)


def load_shipped(request: Request) -> Encoder:
    """A model that comes with the package.

    Raises
    ------
    ValueError
        If there is none of this name, or the dataset has images of another shape.
    """
    model = load_model(request.name)
    _check_images(request, model)
    return RunEncoder(model, request.name, weights="of this package", licence="Apache-2.0")


def trained_on(encoder: str) -> str | None:
    """The dataset that a model was trained on, by the model's name as an encoder.

    None if the encoder is not such a model, or its folder does not say.
    """
    family, _, rest = encoder.partition(":")
    if family == "run":
        place = Path(_folder_and_step(rest)[0])
    elif family == "pretrained":
        place = model_folder(encoder)
    else:
        return None
    file = place / CONFIG
    config = read_json(file, RunConfig) if file.exists() else {}
    return {**config, **read_training(place)}.get("dataset")


def _folder_and_step(rest: str) -> tuple[str, int | None]:
    """FOLDER@STEP in two; None where there is no step."""
    folder, at, step = rest.rpartition("@")
    return (folder, int(step)) if at and step.isdigit() else (rest, None)


def _check_images(request: Request, model: VAE) -> None:
    dataset = request.dataset
    if dataset is not None and dataset.image_shape != model.image_shape:
        height, width, _ = model.image_shape
        raise ValueError(
            f"{request.name} encodes images of {_written(model.image_shape)}, and those of "
            f"{dataset.name} are {_written(dataset.image_shape)}: give images of that shape, for "
            f"example with ?size={height}x{width} after the name of the dataset"
        )


def _written(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


class RunEncoder(Encoder):
    """The encoder of a trained model."""

    def __init__(
        self, model: VAE, name: str, *, weights: str = "trained here", licence: str = "yours"
    ) -> None:
        self.model = model.eval()
        tensors = {**model.encoder.state_dict(), **model.latents.state_dict()}
        self.card = Card(
            name=name,
            weights=weights,
            sha256=hash_tensors(tensors),
            licence=licence,
            source=name,
            parameters=sum(p.numel() for p in model.encoder.parameters()),
            parameters_in_all=sum(p.numel() for p in model.parameters()),
        )

    def encode(self, images: object, *, unscaled: bool = False) -> np.ndarray:
        """Posterior means, or values of quantised latents, (n, latents) float32."""
        return self.model.encode(checked_images(images, unscaled=unscaled), unscaled=unscaled)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Expected images (n, height, width, channels) uint8 of codes (n, latents)."""
        return self.model.decode(codes)

    @property
    def groups(self) -> tuple[int, ...]:
        """Sizes of the groups of Gaussian latents in groups."""
        return self.model.groups

    def indices(self, codes: np.ndarray) -> np.ndarray | None:
        """Which of its values each quantised latent takes."""
        return self.model.indices_of(codes)
