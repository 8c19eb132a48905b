"""`timm:NAME`: networks of timm, without their classifiers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unweave._check import suggestion
from unweave._extras import imported
from unweave.datasets.download import file_hash
from unweave.encoders.encoder import Card, Encoder, Request
from unweave.encoders.network import drawn, network_encoder
from unweave.encoders.preprocessing import Preprocessing
from unweave.encoders.weights import Source, check_weights_archive, find_weights, read_weights

__all__ = ["load"]

_FILES = ("model.safetensors", "pytorch_model.bin")


def load(request: Request) -> Encoder:
    """The network that timm calls ``request.rest``; codes are what its classifier would see.

    Raises
    ------
    ImportError
        If timm cannot be imported.
    ValueError
        If timm knows no such network, or the weights are of another one.
    """
    timm = imported("timm", "data", needed_by=request.name, extra="encoders")
    name = request.rest
    known = timm.list_models()
    if name.partition(".")[0] not in known:
        raise ValueError(f"timm knows no network {name!r}{suggestion(name, known)}")
    published = timm.get_pretrained_cfg(name, allow_unregistered=False)
    if published is None:
        raise ValueError(f"timm knows no weights {name!r}; without a tag it takes its default")
    settings = published.to_dict()
    if request.random:
        file = None
        module = drawn(request, lambda: timm.create_model(name, num_classes=0))
    else:
        file = find_weights(
            request.name,
            _source(published),
            weights=request.weights,
            download=request.download,
        )
        module = _loaded(timm, request, file)
    data = timm.data.resolve_data_config({}, model=module)
    card = Card(
        name=request.name,
        weights="",
        sha256="",
        licence=settings.get("license") or "as stated at the source",
        source=str(_source(published)) or "timm",
        parameters=sum(p.numel() for p in module.parameters()),
        preprocessing=Preprocessing(
            (int(data["input_size"][1]), int(data["input_size"][2])),
            tuple(data["mean"]),
            tuple(data["std"]),
            channels=int(data["input_size"][0]),
            # Other filters, as random choices among them, stand for bicubic.
            interpolation="bilinear" if data["interpolation"] == "bilinear" else "bicubic",
        ),
    )
    if file is not None:
        card = card.loaded_from(file, file_hash(file))
    n_prefix = int(getattr(module, "num_prefix_tokens", 0))
    return network_encoder(request, module, card, n_prefix_tokens=n_prefix)


def _source(published: Any) -> Source:
    file = (published.hf_hub_filename,) if published.hf_hub_filename else _FILES
    return Source(
        url=published.url if isinstance(published.url, str) else "",
        repository=published.hf_hub_id or "",
        files=file,
        folders=(Path.home() / ".cache" / "torch" / "hub" / "checkpoints",),
    )


def _loaded(timm: Any, request: Request, file: Path) -> Any:
    """By timm's own loader, which knows how each family's files differ from its networks.

    It is given tensors, and opens no file itself but the arrays of an .npz.
    """
    overlay: dict[str, Any]
    if file.suffix == ".npz":
        check_weights_archive(file)
        overlay = {"file": str(file)}
    else:
        overlay = {"state_dict": read_weights(file)}
    try:
        # With its classifier, because timm loads strictly only then; it is taken off after.
        model = timm.create_model(request.rest, pretrained=True, pretrained_cfg_overlay=overlay)
        model.reset_classifier(0)
        return model
    except (RuntimeError, KeyError) as error:
        first = "; ".join(line.strip() for line in str(error).splitlines()[1:6])
        raise ValueError(
            f"{file} holds weights of another architecture than {request.name}: {first or error}"
        ) from error
