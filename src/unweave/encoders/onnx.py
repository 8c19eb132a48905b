"""`onnx:FILE`: a network in the open exchange format, run by onnxruntime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unweave._check import check_choice
from unweave._extras import imported
from unweave.datasets.download import file_hash
from unweave.encoders.encoder import Card, Encoder, Request
from unweave.encoders.network import network_encoder
from unweave.encoders.preprocessing import Preprocessing

__all__ = ["load"]


def load(request: Request) -> Encoder:
    """The network of an ONNX file; size and channels are those that its input declares.

    Values are fed in [0, 1] unless told otherwise. A layer is one of the file's outputs.

    Raises
    ------
    ImportError
        If onnxruntime cannot be imported.
    FileNotFoundError, ValueError
        If there is no such file, it is no ONNX, or its input is no image.
    """
    request.refuse_random()
    file = Path(request.rest)
    if not file.is_file():
        raise FileNotFoundError(f"{request.name}: there is no file at {file}")
    session = _session(file)
    source = session.get_inputs()[0]
    if len(source.shape) != 4:
        raise ValueError(f"{file} takes {source.name} of shape {source.shape}, which is no image")
    channels, height, width = source.shape[1:]
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    outputs = [output.name for output in session.get_outputs()]
    chosen = request.layer or outputs[0]
    check_choice(f"output of {file.name}", chosen, outputs)
    card = Card(
        name=request.name,
        weights=file.name,
        sha256=file_hash(file),
        licence="not known",
        source=file.name,
        parameters=_count(file),
        preprocessing=Preprocessing(size, channels=channels if isinstance(channels, int) else 3),
    )
    layer = _module_name(chosen) if request.layer else None
    session_module = _Session(session, source.name, outputs, chosen)
    return network_encoder(replace(request, layer=layer), session_module, card)


class _Session(nn.Module):
    """An onnxruntime session as a network, its outputs as layers."""

    def __init__(self, session: Any, source: str, outputs: list[str], chosen: str) -> None:
        super().__init__()
        self.session, self.source, self.chosen = session, source, chosen
        for name in outputs:
            self.add_module(_module_name(name), nn.Identity())

    def forward(self, images: Tensor) -> Tensor:
        feed = {self.source: images.cpu().contiguous().numpy()}
        output = torch.from_numpy(self.session.run([self.chosen], feed)[0])
        return self._modules[_module_name(self.chosen)](output)  # type: ignore[misc]


def _module_name(output: str) -> str:
    """Outputs may have points in their names, and modules may not."""
    return output.replace(".", "/")


def _session(file: Path) -> Any:
    onnxruntime = imported("onnxruntime", needed_by=f"onnx:{file}", extra="onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            str(file), options, providers=onnxruntime.get_available_providers()
        )
    except Exception as error:  # onnxruntime's own errors share no base class that it exports
        reason = str(error).splitlines()[0]
        raise ValueError(f"{file} cannot be run as ONNX: {reason}") from error


def _count(file: Path) -> int | None:
    """Values of the file's weights, if the onnx package is there to count them."""
    try:
        import onnx
    except ImportError:
        return None
    weights = onnx.load(str(file), load_external_data=False).graph.initializer
    return sum(int(torch.tensor(list(w.dims)).prod()) for w in weights)
