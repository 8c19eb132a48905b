"""Pictures of a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unweave._storage import written_whole
from unweave.datasets.dataset import FactorDataset, GridDataset, ImageDataset
from unweave.datasets.drawn.objects3d import Objects3D

__all__ = ["dataset_picture", "factor_traversals", "object_traversals", "save_png"]

_N_SORTED = 2_000  # images that are looked through for a picture


def dataset_picture(dataset: ImageDataset, *, seed: int = 0, n_steps: int = 10) -> np.ndarray:
    """One picture (height, width, channels) uint8 that shows what varies in the images.

    For a full grid, :func:`factor_traversals`. For other images with factors, a row for each scored
    factor: images in the order of its values, while the other factors vary at random.
    For images without factors, images drawn by ``seed``.
    """
    if isinstance(dataset, GridDataset):
        return factor_traversals(dataset, seed=seed, n_steps=n_steps)
    rows = dataset.sample_indices(min(len(dataset), _N_SORTED), seed=seed)
    shown = [rows[: n_steps**2]]
    if isinstance(dataset, FactorDataset):
        shown = []
        for column in dataset.factors(rows).T:
            known = np.flatnonzero(np.isfinite(column))
            order = known[np.argsort(column[known], kind="stable")]
            steps = np.linspace(0, max(len(order) - 1, 0), min(n_steps, len(order))).round()
            shown.append(rows[order[steps.astype(int)]])
    height, width, channels = dataset.image_shape
    n_rows = sum(-(-len(own) // n_steps) for own in shown)
    grid = np.full((n_rows * n_steps, height, width, channels), 128, dtype=np.uint8)
    start = 0
    for own in shown:
        grid[start : start + len(own)] = dataset.images(own)
        start += -(-len(own) // n_steps) * n_steps
    framed = np.pad(grid, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=128)
    tiles = framed.reshape(n_rows, n_steps, height + 2, width + 2, channels)
    return tiles.transpose(0, 2, 1, 3, 4).reshape(-1, n_steps * (width + 2), channels)


def factor_traversals(dataset: GridDataset, *, seed: int = 0, n_steps: int = 10) -> np.ndarray:
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
