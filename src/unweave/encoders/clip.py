"""`clip:RN50`, `clip:ViT-B-32/laion2b_s34b_b79k`: image towers of CLIP, through open_clip."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from unweave._check import suggestion
from unweave._extras import imported
from unweave.datasets.download import file_hash
from unweave.encoders.encoder import Card, Encoder, Request
from unweave.encoders.network import drawn, network_encoder
from unweave.encoders.preprocessing import Preprocessing
from unweave.encoders.weights import Source, find_weights, load_strictly, read_weights

__all__ = ["load"]

_LICENCES = {"openai": "MIT (github.com/openai/CLIP)"}


def load(request: Request) -> Encoder:
    """The image tower ARCHITECTURE/TAG of open_clip, with OpenAI's weights if there is no tag.

    Codes are the embeddings that images are compared with texts by. Towers whose weights were
    trained with QuickGELU, as OpenAI's, are built with it.

    Raises
    ------
    ImportError
        If open_clip cannot be imported.
    ValueError
        If it knows no such architecture or tag, or the weights are of another one.
    """
    open_clip = imported(
        "open_clip", "convert", "pretrained", needed_by=request.name, extra="encoders"
    )
    architecture, _, tag = request.rest.partition("/")
    tag = tag or "openai"
    if architecture not in open_clip.list_models():
        near = suggestion(architecture, open_clip.list_models())
        raise ValueError(
            f"open_clip knows no architecture {architecture!r}{near}; the paper's are RN50, "
            "RN50x4, RN50x16, ViT-B-16 and ViT-L-14"
        )
    published = open_clip.pretrained.get_pretrained_cfg(architecture, tag) or {}
    if not (published or request.random or request.weights):
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        raise ValueError(
            f"open_clip knows no weights {tag!r} of {architecture}{suggestion(tag, tags)}; it "
            f"knows {', '.join(tags) or 'none'}"
        )
    whole = drawn(request, lambda: _build(open_clip, architecture, published, tag))
    tower: nn.Module = whole.visual
    card = Card(
        name=request.name,
        weights="",
        sha256="",
        licence=_LICENCES.get(tag, "as stated at the source"),
        source=str(_source(published)) or "open_clip",
        parameters=sum(p.numel() for p in tower.parameters()),
        parameters_in_all=sum(p.numel() for p in whole.parameters()),
        preprocessing=_preprocessing(open_clip, tower, published),
    )
    if not request.random:
        file = find_weights(
            request.name,
            _source(published),
            weights=request.weights,
            download=request.download,
        )
        tensors = open_clip.convert.convert_state_dict(whole, read_weights(file))
        load_strictly(tower, _of_tower(tensors), name=request.name, file=file)
        card = card.loaded_from(file, file_hash(file))
    return network_encoder(request, tower, card, n_prefix_tokens=_n_prefix_tokens(tower))


def _build(open_clip: Any, architecture: str, published: dict[str, Any], tag: str) -> Any:
    quick = bool(published.get("quick_gelu")) or tag == "openai"
    with _quiet():
        return open_clip.create_model(
            architecture,
            force_quick_gelu=quick,
            pretrained_image=False,
            pretrained_text=False,
            load_weights=False,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without open_clip's warning that nothing was loaded: loading is done here."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def _source(published: dict[str, Any]) -> Source:
    url = published.get("url", "")
    repository, _, file = published.get("hf_hub", "").rpartition("/")
    files = (file,) if file else ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
    return Source(
        url=url,
        sha256=url.split("/")[-2] if "openaipublic" in url else "",
        repository=repository,
        files=files,
        folders=(Path.home() / ".cache" / "clip",),
    )


def _preprocessing(open_clip: Any, tower: Any, published: dict[str, Any]) -> Preprocessing:
    size = tower.image_size
    height, width = size if isinstance(size, tuple | list) else (size, size)
    return Preprocessing(
        (int(height), int(width)),
        tuple(published.get("mean") or open_clip.OPENAI_DATASET_MEAN),
        tuple(published.get("std") or open_clip.OPENAI_DATASET_STD),
        interpolation=published.get("interpolation") or "bicubic",
    )


def _of_tower(tensors: dict[str, Any]) -> dict[str, Any]:
    """Those of the image tower, of a file of both towers or of that one alone."""
    prefix = "visual."
    own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    return own or tensors


def _n_prefix_tokens(tower: Any) -> int:
    if hasattr(tower, "class_embedding"):
        return 1
    return int(getattr(getattr(tower, "trunk", None), "num_prefix_tokens", 0))
