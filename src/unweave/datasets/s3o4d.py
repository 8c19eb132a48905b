"""The published S3O4D files, read."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import numpy as np

from unweave._check import check_indices, check_positive
from unweave.datasets.posed import PosedObjects

__all__ = ["S3O4D"]

_SIDE = 256  # pixels of the published images


class S3O4D(PosedObjects):
    """Stanford 3D Objects for Disentangling (Pfau et al. 2020): the bunny or the dragon.

    100,000 images of each object, of 256 pixels in colours that are grey, beside the light and the
    pose; published, as zipped JPEG and arrays, in the storage bucket ``dm_s3o4d`` that
    https://github.com/google-deepmind/deepmind-research/tree/master/geomancer points to. Nothing
    is downloaded here.

    Parameters
    ----------
    folder
        Of the two files of one object: ``images.zip`` and ``latents.npz``, or those that are split
        for training and testing, as ``train_images.zip`` and ``train_latents.npz``.
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

    def __init__(self, folder: str | Path, *, split: str | None = None, size: int = 64) -> None:
        self.size = check_positive("size", size)
        if _SIDE % self.size:
            raise ValueError(f"size={size} does not divide the {_SIDE} pixels of the images")
        self.image_shape = (self.size, self.size, 1)
        prefix = "" if split is None else f"{split}_"
        self._archive_file = _existing(Path(folder), f"{prefix}images.zip")
        latents = _latents(_existing(Path(folder), f"{prefix}latents.npz"))
        self.lights, self.quaternions = latents["illumination"], latents["pose_quat"]
        self._members = _members(self._archive_file, len(self.lights))
        if not np.allclose(self.rotations, latents["pose_mat"], atol=1e-3):
            raise ValueError(
                "pose_quat and pose_mat are of different rotations: the file is not as published"
            )

    def __repr__(self) -> str:
        return f"S3O4D({len(self)} images of {self.image_shape}, {self._archive_file})"

    def images(self, indices: object) -> np.ndarray:
        """Images (n, size, size, 1) uint8.

        Raises
        ------
        ValueError
            If an image is damaged, or of another size.
        """
        from PIL import Image, UnidentifiedImageError

        rows = check_indices(indices, len(self))
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
            f"{folder} has no {name} ({found}): give the folder of one object's published files, "
            "and split='train' or 'test' where they are split"
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
        raise ValueError(f"{path} is no whole zip file ({error}): fetch it again") from error
    names.sort(key=lambda name: name.rpartition(".")[0][-5:])
    if len(names) != n:
        raise ValueError(f"{path} holds {len(names)} images, and the latents are of {n}")
    return names
