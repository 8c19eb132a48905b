"""The published S3O4D files, read."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from unweave._check import check_indices, check_positive
from unweave._storage import cache_folder, written_whole
from unweave.datasets.drawn.posed import PosedObjects
from unweave.datasets.official.location import how_to_get

__all__ = ["S3O4D"]

_SIDE = 256  # pixels of the published images
_BATCH = 256


class S3O4D(PosedObjects):
    """Stanford 3D Objects for Disentangling (Pfau et al. 2020): the bunny or the dragon.

    100,000 images of each object, of 256 pixels in colours that are grey, beside the light and the
    pose; published, as zipped JPEG and arrays, in the storage bucket ``dm_s3o4d`` that
    https://github.com/google-deepmind/deepmind-research/tree/master/geomancer points to. Nothing
    is downloaded here. Images are decoded when they are asked for, or all at once by
    :meth:`prepare`, which keeps them in the cache.

    Parameters
    ----------
    path
        Folder of the two files of one object: ``images.zip`` and ``latents.npz``, or those that
        are split for training and testing, as ``train_images.zip`` and ``train_latents.npz``. By
        default the folder ``s3o4d`` of the cache.
    split
        ``train`` or ``test``, where the folder holds files of both.
    size
        Pixels on a side, 256 or a half, a quarter...: images come as means over squares of pixels.

    Raises
    ------
    FileNotFoundError
        If the folder has no such files.
    ValueError
        If a file is damaged, or not what it should be.
    """

    name = "s3o4d"

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        split: Literal["train", "test"] | None = None,
        size: int = 64,
    ) -> None:
        self.size = check_positive("size", size)
        if _SIDE % self.size:
            raise ValueError(f"size={size} does not divide the {_SIDE} pixels of the images")
        self.image_shape = (self.size, self.size, 1)
        folder = cache_folder() / self.name if path is None else Path(os.path.expanduser(path))
        prefix = "" if split is None else f"{split}_"
        self._archive_file = _existing(folder, f"{prefix}images.zip")
        self._latents_file = _existing(folder, f"{prefix}latents.npz")
        latents = _latents(self._latents_file)
        self.lights, self.quaternions = latents["illumination"], latents["pose_quat"]
        self._members = _members(self._archive_file, len(self.lights))
        if not np.allclose(self.rotations, latents["pose_mat"], atol=1e-3):
            raise ValueError(
                "pose_quat and pose_mat are of different rotations: the file is not as published"
            )

    def __repr__(self) -> str:
        return f"S3O4D({len(self)} images of {self.image_shape}, {self._archive_file})"

    @functools.cached_property
    def identity(self) -> str:
        """Hash of the latents, the archive's list of files with checksums, and the size."""
        digest = hashlib.sha256(self._latents_file.read_bytes())
        with zipfile.ZipFile(self._archive_file) as archive:
            for name in self._members:
                info = archive.getinfo(name)
                digest.update(f"{name} {info.file_size} {info.CRC}\n".encode())
        return f"{self.name}-{digest.hexdigest()[:16]}-{self.size}"

    @property
    def cache_file(self) -> Path:
        """Where :meth:`prepare` keeps the images."""
        return cache_folder() / f"{self.identity}.npy"

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> S3O4D:
        """Decode all images into the cache, once; ``progress`` gets (images done, total)."""
        if not self.cache_file.exists():
            n = len(self)
            with written_whole(self.cache_file) as temporary:
                images = np.lib.format.open_memmap(
                    temporary, "w+", np.uint8, (n, *self.image_shape)
                )
                for start in range(0, n, _BATCH):
                    stop = min(start + _BATCH, n)
                    images[start:stop] = self._decoded(np.arange(start, stop))
                    if progress:
                        progress(stop, n)
                images.flush()
        return self

    def images(self, indices: object) -> np.ndarray:
        """Images (n, size, size, 1) uint8.

        Raises
        ------
        ValueError
            If an image is damaged, or of another size.
        """
        rows = check_indices(indices, len(self))
        if self.cache_file.exists():
            return np.load(self.cache_file, mmap_mode="r")[rows]
        return self._decoded(rows)

    def _decoded(self, rows: np.ndarray) -> np.ndarray:
        from PIL import Image, UnidentifiedImageError

        images = np.empty((len(rows), *self.image_shape), dtype=np.uint8)
        times = _SIDE // self.size
        with zipfile.ZipFile(self._archive_file) as archive:
            for i, row in enumerate(rows):
                name = self._members[row]
                try:
                    pixels = np.asarray(Image.open(io.BytesIO(archive.read(name))), dtype=float)
                except (UnidentifiedImageError, zipfile.BadZipFile, OSError) as error:
                    raise ValueError(
                        f"{name} in {self._archive_file} is damaged ({error}): fetch the file again"
                    ) from error
                if pixels.shape[:2] != (_SIDE, _SIDE):
                    raise ValueError(f"{name} is of shape {pixels.shape}, not {_SIDE} x {_SIDE}")
                grey = pixels.reshape(self.size, times, self.size, times, -1).mean(axis=(1, 3, 4))
                images[i, ..., 0] = np.rint(grey)
        return images


def _existing(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        here = sorted(p.name for p in folder.glob("*")) if folder.is_dir() else []
        found = f"it holds {', '.join(here[:6])}" if here else "it is empty or not there"
        raise FileNotFoundError(
            f"{folder} has no {name} ({found}): give the folder of one object's published "
            "files, and split='train' or 'test' where they are split; or "
            f"{how_to_get('s3o4d', folder)}"
        )
    return path


def _latents(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the latents' file, checked."""
    shapes = {"illumination": (3,), "pose_quat": (4,), "pose_mat": (3, 3)}
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {key: np.asarray(file[key], dtype=np.float64) for key in shapes}
    except (KeyError, ValueError, zipfile.BadZipFile, OSError) as error:
        raise ValueError(
            f"{path} is not the latents' file of S3O4D ({error}): it needs {', '.join(shapes)}"
        ) from error
    n = len(found["illumination"])
    wrong = [key for key, shape in shapes.items() if found[key].shape != (n, *shape)]
    lengths = [np.linalg.norm(found[key], axis=1) for key in ("illumination", "pose_quat")]
    if wrong or not all(np.allclose(length, 1, atol=1e-3) for length in lengths):
        raise ValueError(
            f"{path} is not the latents' file of S3O4D: "
            + (f"{wrong[0]} is of shape {found[wrong[0]].shape}" if wrong else "lengths are not 1")
        )
    return found


def _members(path: Path, n: int) -> list[str]:
    """Names of the images in the archive by their numbers, which a test split starts at 80,000."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [m for m in archive.namelist() if re.search(r"\d{5}\.(jpe?g|png)$", m)]
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is not a complete zip file ({error}): fetch it again") from error
    names.sort(key=lambda name: name.rpartition(".")[0][-5:])
    if len(names) != n:
        raise ValueError(f"{path} holds {len(names)} images, and the latents are of {n}")
    return names
