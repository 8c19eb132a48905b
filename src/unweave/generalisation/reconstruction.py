"""How well images are reconstructed on both parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from unweave.datasets import ImageDataset
from unweave.encoders import Encoder
from unweave.generalisation.gap import Gap, bootstrap_weights, gap_of

__all__ = ["reconstruction_gap"]

_BATCH = 256


def reconstruction_gap(
    encoder: Encoder,
    parts: tuple[ImageDataset, ImageDataset],
    rows: tuple[np.ndarray, np.ndarray],
    codes: tuple[np.ndarray, np.ndarray],
    learnt_rows: np.ndarray,
    *,
    n_bootstrap: int,
    seed: int,
) -> Gap | None:
    """Squared error of a pixel, with pixels in [0, 1], of the rows of both parts.

    Chance is the error of the mean image of the rows of the training part that read-outs learn
    from. None where the encoder has no decoder.
    """
    if encoder.decode(codes[0][:1]) is None:
        return None
    mean = _mean_image(parts[0], learnt_rows)
    errors, chance = [], []
    for dataset, own, table in zip(parts, rows, codes, strict=True):
        found = [
            (_squared(images, decoded), _squared(images, mean))
            for images, decoded in _decoded(encoder, dataset, own, table)
        ]
        errors.append(np.concatenate([pair[0] for pair in found]))
        chance.append(np.concatenate([pair[1] for pair in found]))
    weights = bootstrap_weights(len(rows[0]), len(rows[1]), n_bootstrap, seed=seed)
    return gap_of((errors[0], errors[1]), (chance[0], chance[1]), weights, is_error=True)


def _decoded(
    encoder: Encoder, dataset: ImageDataset, rows: np.ndarray, codes: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images of the rows in [0, 1], and their reconstructions."""
    for start in range(0, len(rows), _BATCH):
        part = slice(start, start + _BATCH)
        decoded = encoder.decode(codes[part])
        assert decoded is not None
        yield _pixels(dataset, rows[part]), decoded.astype(np.float32) / 255


def _mean_image(dataset: ImageDataset, rows: np.ndarray) -> np.ndarray:
    total = np.zeros(dataset.image_shape)
    for start in range(0, len(rows), _BATCH):
        total += _pixels(dataset, rows[start : start + _BATCH]).sum(axis=0)
    return (total / len(rows)).astype(np.float32)


def _pixels(dataset: ImageDataset, rows: np.ndarray) -> np.ndarray:
    return dataset.uint8_images(rows).astype(np.float32) / 255


def _squared(images: np.ndarray, guesses: np.ndarray) -> np.ndarray:
    """Mean squared difference (n,) of each image."""
    return ((images - guesses) ** 2).reshape(len(images), -1).mean(axis=1)
