"""`pixels` and `pca:K`: what a network must beat to have done anything."""

from __future__ import annotations

import numpy as np
import torch

from unweave.encoders.encoder import Card, Encoder, Request, hash_tensors
from unweave.encoders.preprocessing import checked_images

__all__ = ["PCAEncoder", "PixelEncoder", "load_pca", "load_pixels"]

_FITTING_ROWS = 10_000


def load_pixels(request: Request) -> Encoder:
    """The pixels themselves."""
    request.refuse_random()
    return PixelEncoder(request.name)


def load_pca(request: Request) -> Encoder:
    """The first K principal components of 10,000 images of the data set.

    Raises
    ------
    ValueError
        If K is no whole number of at least 1, or there is no data set.
    """
    request.refuse_random()
    if not request.rest.isdigit() or int(request.rest) < 1:
        raise ValueError(f"{request.name}: give a number of components, as pca:10")
    if request.dataset is None:
        raise ValueError(f"{request.name} is fitted to images: give the data set")
    rows = request.dataset.sample_indices(_FITTING_ROWS, seed=request.seed)
    images = request.dataset.images(rows)
    return PCAEncoder(request.name, images, n_components=int(request.rest), seed=request.seed)


class PixelEncoder(Encoder):
    """Every pixel a latent, in [0, 1]."""

    def __init__(self, name: str = "pixels") -> None:
        self.card = Card(
            name=name, weights="", sha256="", licence="none needed", source="", parameters=0
        )

    def encode(self, images: object, *, unscaled: bool = False) -> np.ndarray:
        """Pixels (n, height * width * channels) float32."""
        array = checked_images(images, unscaled=unscaled)
        return array.reshape(len(array), -1).astype(np.float32) / 255


class PCAEncoder(Encoder):
    """Principal components of images (n, height, width, channels).

    Raises
    ------
    ValueError
        If more components are asked for than there are images or pixels.
    """

    def __init__(self, name: str, images: np.ndarray, *, n_components: int, seed: int) -> None:
        from sklearn.decomposition import PCA

        pixels = PixelEncoder().encode(images)
        if n_components > min(pixels.shape):
            raise ValueError(
                f"{name}: {len(pixels)} images of {pixels.shape[1]} pixels have at most "
                f"{min(pixels.shape)} components"
            )
        self._pca = PCA(n_components, svd_solver="randomized", random_state=seed).fit(pixels)
        components = torch.from_numpy(self._pca.components_)
        self.card = Card(
            name=name,
            weights=f"fitted to {len(images):,} images",
            sha256=hash_tensors({"components": components}),
            licence="none needed",
            source="",
            parameters=components.numel(),
        )

    def encode(self, images: object, *, unscaled: bool = False) -> np.ndarray:
        """Components (n, K) float32."""
        pixels = PixelEncoder().encode(images, unscaled=unscaled)
        return self._pca.transform(pixels).astype(np.float32)
