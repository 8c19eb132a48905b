"""`pixels`, `pca:K`, `ica:K`, `varimax:K`: what a network must beat to have done anything."""

from __future__ import annotations

import math

import numpy as np
import torch

from unweave.datasets import ImageDataset
from unweave.encoders.encoder import Card, Encoder, Request, hash_tensors
from unweave.encoders.preprocessing import checked_images
from unweave.encoders.readouts import TURNS

__all__ = ["LinearEncoder", "PixelEncoder", "fitting_images", "load_linear", "load_pixels"]

_FITTING_ROWS = 10_000
_FITTING_PIXELS = 2**28  # 1 GiB of float32


def load_pixels(request: Request) -> Encoder:
    """The pixels themselves."""
    return PixelEncoder(request.name)


def load_linear(request: Request) -> Encoder:
    """K components of 10,000 images of the dataset, or of all, or of as many as 1 GiB holds.

    Raises
    ------
    ValueError
        If K is not a whole number of at least 1, or there is no dataset.
    """
    kind = request.name.partition(":")[0]
    if not request.rest.isdigit() or int(request.rest) < 1:
        raise ValueError(f"{request.name}: give a number of components, as {kind}:10")
    if request.dataset is None:
        raise ValueError(f"{request.name} is fitted to images: give the dataset")
    images = fitting_images(request.dataset, request.seed)
    return LinearEncoder(request.name, images, seed=request.seed)


def fitting_images(dataset: ImageDataset, seed: int) -> np.ndarray:
    """Images (n, height, width, channels) that encoders are fitted to: 10,000 at most."""
    fitting = max(1, _FITTING_PIXELS // math.prod(dataset.image_shape))
    n_rows = min(_FITTING_ROWS, fitting, len(dataset))
    return dataset.images(dataset.sample_indices(n_rows, seed=seed))


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


class LinearEncoder(Encoder):
    """Components of images (n, height, width, channels): principal, or turned to other axes.

    ``ica`` turns the whitened principal components until they are as independent as can be,
    ``varimax`` until each pixel loads on few of them
    (:mod:`unweave.encoders.readouts`).

    Parameters
    ----------
    name
        As pca:10, ica:10 or varimax:10.
    images
        What it is fitted to.
    seed
        Seed of the fit.

    Raises
    ------
    ValueError
        If more components are asked for than there are images or pixels.
    """

    def __init__(self, name: str, images: np.ndarray, *, seed: int) -> None:
        from sklearn.decomposition import PCA

        kind, number = name.split(":")
        pixels = PixelEncoder().encode(images)
        if int(number) > min(pixels.shape):
            raise ValueError(
                f"{name}: {len(pixels)} images of {pixels.shape[1]} pixels have at most "
                f"{min(pixels.shape)} components"
            )
        pca = PCA(int(number), svd_solver="randomized", random_state=seed).fit(pixels)
        self._mean, self._axes = pca.mean_, pca.components_
        if kind != "pca":
            scores = pca.transform(pixels).astype(np.float64)
            self._axes = TURNS[kind](scores, self._axes, seed=seed).T @ self._axes
        self.card = Card(
            name=name,
            weights=f"fitted to {len(images):,} images",
            sha256=hash_tensors({"components": torch.from_numpy(np.ascontiguousarray(self._axes))}),
            licence="none needed",
            source="",
            parameters=self._axes.size,
        )

    def encode(self, images: object, *, unscaled: bool = False) -> np.ndarray:
        """Components (n, K) float32."""
        pixels = PixelEncoder().encode(images, unscaled=unscaled)
        return ((pixels - self._mean) @ self._axes.T).astype(np.float32)
