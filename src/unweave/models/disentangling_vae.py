"""Models trained with the public repository disentangling-vae, by Yann Dubois and others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, Field, ValidationError
from torch import Tensor

from unweave._contents import first_fault
from unweave._files import read_json
from unweave._limits import check_whole_archive, is_archive
from unweave.models.networks import Network
from unweave.models.vae import VAE, build_vae

__all__ = ["read_disentangling_vae"]

_ENCODER = ("conv1", "conv2", "conv3", "conv_64", "lin1", "lin2", "mu_logvar_gen")
_DECODER = ("lin1", "lin2", "lin3", "convT_64", "convT1", "convT2", "convT3")
_KNOWN_SIDES = (32, 64)
_Side = Annotated[int, Field(ge=1, le=16_384)]


def read_disentangling_vae(folder: str | Path) -> tuple[VAE, dict[str, Any]]:
    """The model of a folder with ``model.pt`` and ``specs.json``, and what the latter says.

    Both sides have the network of Burgess et al. Theirs gives mean and log variance of each latent
    next to each other, ours all means first. The fourth convolution, for images of 64 pixels, is
    called ``conv_64`` and comes last in the encoder and first in the decoder.

    Raises
    ------
    FileNotFoundError
        If one of the files is missing.
    ValueError
        If one is damaged, or the model has another layout.
    """
    folder = Path(folder)
    specs = _read_specs(folder / "specs.json")
    weights = _read_weights(folder / "model.pt")
    channels, height, width = specs["img_size"]
    if specs["model_type"] != "Burgess" or {height, width} - set(_KNOWN_SIDES) or height != width:
        raise ValueError(
            f"{folder} has a {specs['model_type']} network for {height} x {width} images: only "
            "their Burgess network for 32 x 32 and 64 x 64 is known"
        )
    network = Network(name="burgess", n_latents=specs["latent_dim"])
    model = build_vae(network, (height, width, channels), seed=0)
    small = height == _KNOWN_SIDES[0]
    with torch.no_grad():
        for part, names in (("encoder", _ENCODER), ("decoder", _DECODER)):
            layers = [m for m in getattr(model, part) if hasattr(m, "weight")]
            used = [n for n in names if not (small and n.endswith("_64"))]
            for name, layer in zip(used, layers, strict=True):
                for kind in ("weight", "bias"):
                    tensor = _take(weights, f"{part}.{name}.{kind}", folder)
                    if name == "mu_logvar_gen":
                        tensor = torch.cat([tensor[0::2], tensor[1::2]])
                    own = getattr(layer, kind)
                    if own.shape != tensor.shape:
                        raise ValueError(
                            f"{folder}: {part}.{name}.{kind} has shape {tuple(tensor.shape)}, and "
                            f"{tuple(own.shape)} was expected: specs.json is of another model"
                        )
                    own.copy_(tensor)
    if weights:
        raise ValueError(f"{folder}: nothing is known of {', '.join(sorted(weights))} in model.pt")
    return model.eval(), specs


class _Specs(BaseModel):
    """What is needed of specs.json, and what it may be."""

    model_type: str
    img_size: tuple[Annotated[int, Field(ge=1, le=4)], _Side, _Side]
    latent_dim: int = Field(ge=1, le=65_536)
    name: str | None = None
    dataset: str | None = None


def _read_specs(file: Path) -> dict[str, Any]:
    if not file.exists():
        raise FileNotFoundError(
            f"{file.parent} holds no model of disentangling-vae: it has no specs.json"
        )
    specs = read_json(file)
    missing = {"img_size", "latent_dim", "model_type"} - set(specs)
    if missing:
        raise ValueError(f"{file} does not say {', '.join(sorted(missing))}")
    try:
        _Specs.model_validate(specs)
    except ValidationError as error:
        raise ValueError(f"{file} does not describe a model ({first_fault(error)})") from error
    return specs


def _read_weights(file: Path) -> dict[str, Tensor]:
    if not file.exists():
        raise FileNotFoundError(f"{file.parent} holds no model: it has no model.pt")
    try:
        if is_archive(file):
            check_whole_archive(file)
        weights = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # of a damaged pickle any, as IndexError and AttributeError
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"{file} is damaged, or holds more than weights ({reason})") from error
    if not isinstance(weights, Mapping) or not all(isinstance(t, Tensor) for t in weights.values()):
        raise ValueError(f"{file} holds no state dict: save `model.state_dict()`")
    return dict(weights)


def _take(weights: dict[str, Tensor], name: str, folder: Path) -> Tensor:
    if name not in weights:
        raise ValueError(f"{folder}: model.pt has no {name}: it is not a disentangling-vae model")
    return weights.pop(name)
