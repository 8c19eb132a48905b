"""What every encoder promises, and the card that says what it is."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from unweave.datasets import ImageDataset
from unweave.encoders.preprocessing import Preprocessing

__all__ = ["Card", "Encoder", "EncoderKind", "Request", "hash_tensors"]


EncoderKind = Literal["pretrained", "random", "trained", "plain"]


@dataclass(frozen=True)
class Card:
    """What an encoder is, and what its codes depend on."""

    name: str
    """As it was asked for, as clip:RN50."""
    weights: str
    """File, or what they were drawn from; empty if there are none."""
    sha256: str
    """SHA-256 of the weights' file, or of the tensors if there is no file; empty if none."""
    licence: str
    """Licence of the weights."""
    source: str
    """Where weights or architecture come from."""
    parameters: int | None
    """Number of parameters of the part that encodes; None if not known."""
    parameters_in_all: int | None = None
    """With parts that do not encode images, as the text tower of CLIP."""
    preprocessing: Preprocessing | None = None
    """None if images are taken as they are."""
    layer: str = ""
    """Whose output the codes are; empty for the network's own."""
    pool: str = ""
    """How a layer's places became one vector."""
    notes: tuple[str, ...] = field(default=())
    """What a reader of its scores should know."""
    kind: EncoderKind = "pretrained"
    """Whether weights come from elsewhere, were drawn, were trained here, or there are none."""
    token: str = ""
    """Another one for each object whose code cannot be compared, so that it has its own codes."""

    @property
    def identity(self) -> dict[str, Any]:
        """What codes depend on, for a cache: not where a file lies, but what is in it."""
        settings = self.preprocessing.to_dict() if self.preprocessing else None
        kept = {"name": self.name, "sha256": self.sha256, "layer": self.layer, "pool": self.pool}
        own = {"token": self.token} if self.token else {}
        return {**kept, "preprocessing": settings, **own}

    def loaded_from(self, file: str | Path, sha256: str) -> Card:
        """The same with its weights from a file."""
        return replace(self, weights=Path(file).name, sha256=sha256)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, lists and dicts, for JSON."""
        return asdict(self)


class Encoder(ABC):
    """Anything that turns images into codes."""

    card: Card

    @abstractmethod
    def encode(self, images: object, *, unscaled: bool = False) -> np.ndarray:
        """Codes (n, latents) float32 of images (n, height, width, channels).

        Parameters
        ----------
        images
            uint8 in [0, 255], bool, or floats in [0, 1].
        unscaled
            Take uint8 images of zeros and ones for almost black, as the paper's notebook did.

        Raises
        ------
        ValueError
            If the images are none of these, or not what the encoder takes.
        """

    def indices(self, codes: np.ndarray) -> np.ndarray | None:
        """Which of its values each latent of ``codes`` (n, latents) takes, from 0 on.

        None where latents take any value.
        """
        return None

    def decode(self, codes: np.ndarray) -> np.ndarray | None:
        """Images (n, height, width, channels) uint8 of ``codes`` (n, latents).

        None where there is no decoder.
        """
        return None

    @property
    def groups(self) -> tuple[int, ...]:
        """Sizes of the groups of latents that are one unit each; empty where latents are."""
        return ()

    @property
    def layers(self) -> list[str]:
        """Names of the layers whose outputs can be codes."""
        return []

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.card.name!r})"


@dataclass(frozen=True)
class Request:
    """What is asked of a family of encoders."""

    name: str
    """In full, as random:clip:RN50."""
    rest: str
    """What follows the family, as RN50."""
    random: bool = False
    """Whether the weights are to be drawn instead of loaded."""
    layer: str | None = None
    pool: str = "mean"
    weights: Path | None = None
    download: bool = False
    seed: int = 0
    preprocessing: Preprocessing | None = None
    dataset: ImageDataset | None = None


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Sha256 of names, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tuple(values.shape)} {values.dtype}".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
