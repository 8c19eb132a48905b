"""Encoders in the open exchange format."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from unweave._extras import imported
from unweave._storage import written_whole
from unweave.models.latents import Posterior
from unweave.models.vae import VAE

__all__ = ["export_encoder"]

OUTPUTS = ("mean", "log_variance")
QUANTISED_OUTPUTS = ("values", "indices")


class _Encoder(nn.Module):
    """Two outputs in place of one, so that a reader needs to know nothing."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        found = self.model.posterior(images)
        other = found.log_variance if isinstance(found, Posterior) else found.indices
        return found.mean, other


def export_encoder(model: VAE, file: str | Path) -> None:
    """Write the encoder as ONNX, whole or not at all.

    Its input ``images`` is float32 (n, channels, height, width) in [0, 1], of any n; its outputs
    ``mean`` and ``log_variance`` are (n, latents); of quantised latents ``values`` and, int64,
    ``indices``.

    Raises
    ------
    ImportError
        If the packages that write ONNX are not installed.
    """
    for package in ("onnx", "onnxscript"):
        imported(package, needed_by="writing ONNX", extra="onnx")
    height, width, channels = model.image_shape
    device = next(model.parameters()).device
    example = torch.zeros(2, channels, height, width, device=device)
    # The exporter tells of its own progress and of its own deprecations.
    with (
        written_whole(file) as temporary,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Encoder(model).eval(),
            (example,),
            temporary,
            input_names=["images"],
            output_names=list(OUTPUTS if model.has_posterior else QUANTISED_OUTPUTS),
            dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
            dynamo=True,
            external_data=False,
        )
