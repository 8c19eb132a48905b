"""`torchscript:FILE`: a network that was saved with its code."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from unweave._files import check_regular
from unweave.datasets.download import file_hash
from unweave.encoders.encoder import Card, Encoder, Request
from unweave.encoders.network import network_encoder
from unweave.encoders.preprocessing import Preprocessing

__all__ = ["load"]


def load(request: Request) -> Encoder:
    """The network of a TorchScript file, fed with values in [0, 1] by default.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is not TorchScript, or a layer inside it is asked for.
    """
    if request.layer is not None:
        raise ValueError(
            f"{request.name}: the layers inside a TorchScript file cannot be reached; save the "
            "part of the network that is wanted"
        )
    file = Path(request.rest)
    check_regular(file)
    if not file.is_file():
        raise FileNotFoundError(f"{request.name}: there is no file at {file}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(str(file), map_location="cpu")
    except Exception as error:  # of a damaged archive any
        raise ValueError(
            f"{file} is not a TorchScript file: save it with torch.jit.script(...).save, or give "
            "the encoder another way"
        ) from error
    shape = request.dataset.image_shape if request.dataset else None
    card = Card(
        name=request.name,
        weights=file.name,
        sha256=file_hash(file),
        licence="not known",
        source=file.name,
        parameters=sum(p.numel() for p in module.parameters()),
        preprocessing=Preprocessing(None, channels=shape[2] if shape else 3),
    )
    return network_encoder(request, module, card)
