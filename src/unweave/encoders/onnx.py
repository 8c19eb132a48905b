"""`onnx:FILE`: a network in the open exchange format, run by onnxruntime."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unweave._check import check_choice
from unweave._extras import imported
from unweave._files import check_regular
from unweave.datasets.download import file_hash
from unweave.encoders.encoder import Card, Encoder, Request
from unweave.encoders.network import network_encoder
from unweave.encoders.preprocessing import Preprocessing

__all__ = ["load"]

_FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


def load(request: Request) -> Encoder:
    """The network of an ONNX file; size and channels are those that its input declares.

    Values are fed in [0, 1] unless ``preprocessing`` says otherwise. A layer is one of the file's
    outputs.

    Raises
    ------
    ImportError
        If onnxruntime cannot be imported.
    FileNotFoundError, ValueError
        If there is no such file, it is not valid ONNX, or its input is not an image.
    """
    file = Path(request.rest)
    check_regular(file)
    if not file.is_file():
        raise FileNotFoundError(f"{request.name}: there is no file at {file}")
    session = _session(file)
    source = _image_input(file, session.get_inputs())
    _, channels, height, width = source.shape
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    outputs = [output.name for output in session.get_outputs()]
    if not outputs:
        raise ValueError(f"{file} has no outputs, and codes are needed: export the network again")
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
    session_module = _Session(session, file, source, outputs, chosen)
    return network_encoder(replace(request, layer=layer), session_module, card)


def _image_input(file: Path, inputs: list[Any]) -> Any:
    """The only input of a file, if it takes batches of images as floating-point numbers."""
    if len(inputs) != 1:
        names = ", ".join(found.name for found in inputs) or "none"
        raise ValueError(
            f"{file} has {len(inputs)} inputs ({names}), and an encoder takes images alone: "
            "export the part of the network that does"
        )
    (source,) = inputs
    if len(source.shape) != 4:
        raise ValueError(
            f"{file} takes {source.name} of shape {source.shape}, which is not an image"
        )
    if source.type not in _FLOATS:
        raise ValueError(
            f"{file} takes {source.name} of type {source.type}, and images are fed as numbers in "
            f"[0, 1]: export it with an input of {' or '.join(_FLOATS)}"
        )
    channels = source.shape[1]
    if isinstance(channels, int) and channels not in (1, 3):
        raise ValueError(
            f"{file} takes images of {channels} channels, and 1 or 3 are needed (n, channels, "
            "height, width)"
        )
    return source


class _Session(nn.Module):
    """An onnxruntime session as a network, its outputs as layers."""

    def __init__(
        self, session: Any, file: Path, source: Any, outputs: list[str], chosen: str
    ) -> None:
        super().__init__()
        self.session, self.file, self.source, self.chosen = session, file, source, chosen
        for name in outputs:
            self.add_module(_module_name(name), nn.Identity())

    def forward(self, images: Tensor) -> Tensor:
        batch = images.cpu().contiguous().numpy().astype(_FLOATS[self.source.type])
        n = self.source.shape[0]
        # A file may be exported for batches of a fixed size, as of one image.
        size = n if isinstance(n, int) and n > 0 else max(1, len(batch))
        if len(batch) % size:
            raise ValueError(
                f"{self.file} takes {size} images at once, and {len(batch)} came: give a "
                f"--batch-size and --rows that {size} divides, or export it for any number"
            )
        pieces = [self._run(batch[i : i + size]) for i in range(0, len(batch), size)]
        output = torch.from_numpy(np.concatenate(pieces)).float()
        return self._modules[_module_name(self.chosen)](output)  # type: ignore[misc]

    def _run(self, batch: np.ndarray) -> np.ndarray:
        try:
            (output,) = self.session.run([self.chosen], {self.source.name: batch})
        except Exception as error:  # onnxruntime's own errors share no base class that it exports
            reason = str(error).splitlines()[0]
            raise ValueError(f"{self.file} cannot be run on these images: {reason}") from error
        if not isinstance(output, np.ndarray) or output.dtype.kind not in "fiub":
            what = output.dtype if isinstance(output, np.ndarray) else type(output).__name__
            raise ValueError(
                f"the output {self.chosen} of {self.file} is of type {what}, and codes are "
                "numbers: choose another output with --layer"
            )
        if output.ndim == 0 or len(output) != len(batch):
            raise ValueError(
                f"the output {self.chosen} of {self.file} is of shape {output.shape} for "
                f"{len(batch)} images, and a row for each is needed: choose another output with "
                "--layer"
            )
        return output


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
    return sum(math.prod(w.dims) for w in weights)
