"""Pictures of a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unweave.datasets.cache import written_whole
from unweave.datasets.dataset import FactorDataset
from unweave.datasets.objects3d import Objects3D

__all__ = ["factor_traversals", "object_traversals", "save_png"]


def factor_traversals(dataset: FactorDataset, *, seed: int = 0, n_steps: int = 10) -> np.ndarray:
    """One picture (height, width, channels) uint8: a row a factor, ``n_steps`` levels across.

    All other factors stay at those of one image drawn by ``seed``.
    """
    space = dataset.space
    base = space.levels(dataset.sample_indices(1, seed=seed))[0]
    levels = np.tile(base, (space.n_factors, n_steps, 1))
    for k, size in enumerate(space.sizes):
        levels[k, :, k] = np.linspace(0, size - 1, n_steps).round()
    images = dataset.images(space.indices(levels.reshape(-1, space.n_factors)))
    height, width, channels = dataset.image_shape
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=128)
    grid = framed.reshape(space.n_factors, n_steps, height + 2, width + 2, channels)
    return grid.transpose(0, 2, 1, 3, 4).reshape(-1, n_steps * (width + 2), channels)


def object_traversals(dataset: Objects3D, *, n_steps: int = 10) -> np.ndarray:
    """One picture (height, width, 1) uint8: the first object turned once, and lit all around."""
    from scipy.spatial.transform import Rotation

    angles = 2 * np.pi * np.arange(n_steps) / n_steps
    quaternion, light = dataset.quaternions[0], dataset.lights[0]
    axis = np.array([0.0, 1.0, 0.0])
    turns = Rotation.from_rotvec(angles[:, None] * axis)
    turned = (turns * Rotation.from_quat(quaternion[[1, 2, 3, 0]])).as_quat()[:, [3, 0, 1, 2]]
    still = np.tile(quaternion, (n_steps, 1))
    images = dataset.render(
        np.concatenate([turned, still]),
        np.concatenate([np.tile(light, (n_steps, 1)), turns.apply(light)]),
    )
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=128)
    side = framed.shape[1]
    grid = framed.reshape(2, n_steps, side, side, 1)
    return grid.transpose(0, 2, 1, 3, 4).reshape(-1, n_steps * side, 1)


def save_png(picture: np.ndarray, path: str | Path) -> None:
    """Write a picture (height, width, channels) uint8 as PNG."""
    from PIL import Image

    image = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
    with written_whole(path) as temporary:
        image.save(temporary, "PNG")
