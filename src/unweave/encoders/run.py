"""`run:FOLDER` and `run:FOLDER@STEP`: models that were trained here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unweave.encoders.encoder import Card, Encoder, Request, hash_tensors
from unweave.encoders.preprocessing import checked_images
from unweave.models import VAE
from unweave.training import load_model

__all__ = ["RunEncoder", "load"]


def load(request: Request) -> Encoder:
    """The model of a run's folder, at its last checkpoint or at STEP; codes are posterior means.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder is no run, or has no checkpoint of that step.
    """
    request.refuse_random()
    folder, at, step = request.rest.rpartition("@")
    if not at or not step.isdigit():
        folder, step = request.rest, ""
    return RunEncoder(load_model(Path(folder), step=int(step) if step else None), request.name)


class RunEncoder(Encoder):
    """The encoder of a VAE."""

    def __init__(self, model: VAE, name: str) -> None:
        self.model = model.eval()
        weights = model.encoder.state_dict()
        self.card = Card(
            name=name,
            weights="trained here",
            sha256=hash_tensors(weights),
            licence="yours",
            source=name,
            parameters=sum(p.numel() for p in model.encoder.parameters()),
            parameters_in_all=sum(p.numel() for p in model.parameters()),
        )

    def encode(self, images: object, *, unscaled: bool = False) -> np.ndarray:
        """Posterior means (n, latents) float32."""
        return self.model.encode(checked_images(images, unscaled=unscaled), unscaled=unscaled)
