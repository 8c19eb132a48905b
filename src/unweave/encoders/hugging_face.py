"""`hf:OWNER/NAME` or `hf:FOLDER`: vision models of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unweave._extras import imported
from unweave._files import read_json
from unweave.datasets.download import file_hash
from unweave.encoders.encoder import Card, Encoder, Request
from unweave.encoders.network import drawn, network_encoder
from unweave.encoders.preprocessing import Preprocessing

__all__ = ["load"]

_HALF = (0.5, 0.5, 0.5)
_BILINEAR = 2  # Pillow's number


def load(request: Request) -> Encoder:
    """The vision model of a folder or of a repository on the hub, which must have safetensors.

    Codes are its pooled output if it has one, else the mean over its last hidden state.

    Raises
    ------
    ImportError
        If transformers cannot be imported.
    FileNotFoundError
        If the model is not on this machine, and not to be downloaded.
    ValueError
        If it is not a model of images.
    """
    transformers = imported("transformers", "utils", needed_by=request.name, extra="hf")
    place = str(request.weights or request.rest)
    local = {"local_files_only": not request.download}
    # Where it is not said, transformers asks on the terminal whether to run the code of a folder.
    no_code = {"trust_remote_code": False}
    try:
        config = transformers.AutoConfig.from_pretrained(place, **local, **no_code)
    except Exception as error:  # of a damaged configuration any
        raise _failure(request, error) from error
    config = getattr(config, "vision_config", config)
    if getattr(config, "num_channels", None) is None:
        raise ValueError(f"{place} is not a model of images: its configuration names no channels")
    sha256, file = "", None
    if request.random:
        module = drawn(request, lambda: _from_config(transformers, request, config, no_code))
    else:
        try:
            module = transformers.AutoModel.from_pretrained(
                place, config=config, use_safetensors=True, dtype=torch.float32,
                **local, **no_code,
            )  # fmt: skip
            file = Path(transformers.utils.cached_file(place, "model.safetensors", **local))
            sha256 = file_hash(file)
        except Exception as error:
            raise _failure(request, error) from error
    card = Card(
        name=request.name,
        weights="",
        sha256="",
        licence="as stated at the source",
        source=place,
        parameters=sum(p.numel() for p in module.parameters()),
        preprocessing=_preprocessing(transformers, place, config, local),
    )
    if file is not None:
        card = card.loaded_from(file, sha256)
    n_prefix = 1 + int(getattr(config, "num_register_tokens", 0) or 0)
    is_transformer = getattr(config, "num_attention_heads", None) is not None
    return network_encoder(
        request, _Codes(module), card, n_prefix_tokens=n_prefix if is_transformer else 0
    )


class _Codes(nn.Module):
    """A transformers model that gives one tensor."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        output = self.model(pixel_values=images)
        pooled = getattr(output, "pooler_output", None)
        if pooled is None:
            return output.last_hidden_state
        return pooled.flatten(1)


def _preprocessing(
    transformers: Any, place: str, config: Any, local: dict[str, Any]
) -> Preprocessing:
    """As ``preprocessor_config.json`` says, without the central crop."""
    try:
        file = transformers.utils.cached_file(place, "preprocessor_config.json", **local)
    except (OSError, TypeError):
        file = None
    settings = {} if file is None else read_json(file)
    try:
        return _preprocessing_of(settings, config)
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        where = file or f"the configuration of {place}"
        raise ValueError(
            f"{where} does not say how images are prepared ({error}): size, image_mean and "
            "image_std must be those that transformers writes"
        ) from error


def _preprocessing_of(settings: dict[str, Any], config: Any) -> Preprocessing:
    size = settings.get("crop_size") or settings.get("size") or config.image_size
    if isinstance(size, dict):
        edge = size.get("shortest_edge")
        size = (size.get("height", edge), size.get("width", edge))
    height, width = size if isinstance(size, tuple | list) else (size, size)
    return Preprocessing(
        (int(height), int(width)),
        tuple(settings.get("image_mean", _HALF)),
        tuple(settings.get("image_std", _HALF)),
        channels=config.num_channels,
        interpolation="bilinear" if settings.get("resample") == _BILINEAR else "bicubic",
    )


def _from_config(transformers: Any, request: Request, config: Any, no_code: dict[str, Any]) -> Any:
    try:
        return transformers.AutoModel.from_config(config, **no_code)
    except Exception as error:
        raise _failure(request, error) from error


def _failure(request: Request, error: Exception) -> Exception:
    if "trust_remote_code" in str(error):
        return ValueError(
            f"{request.name} carries code of its own, which is never run: take a model whose "
            "architecture transformers itself has, or export yours as ONNX and give onnx:FILE"
        )
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return FileNotFoundError(
        f"{request.name} cannot be loaded ({reason}): it must be a folder with config.json and "
        "model.safetensors, or a repository on https://huggingface.co that is in this machine's "
        "cache; nothing is downloaded unasked: give --download, or get its folder where there is "
        "a network and give hf:FOLDER"
    )
