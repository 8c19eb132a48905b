"""dSprites (Matthey et al. 2017): one white sprite on black, five factors, 737,280 images."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from unweave._check import check_indices
from unweave._storage import cache_folder, written_whole
from unweave.datasets.content import content_hash
from unweave.datasets.dataset import GridDataset
from unweave.datasets.drawn import _sprites
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.members import member_names, open_member
from unweave.datasets.official.fetching import fetch
from unweave.datasets.store import built_array
from unweave.datasets.symmetries import CyclicShift, Translation

__all__ = ["DSprites"]

_SPACE = FactorSpace(
    [
        Factor("shape", (1, 2, 3), "categorical"),
        Factor("scale", tuple(np.linspace(0.5, 1, 6)), "ordinal"),
        Factor("orientation", tuple(np.linspace(0, 2 * np.pi, 40)), "circular"),
        Factor("posX", tuple(np.linspace(0, 1, 32)), "ordinal"),
        Factor("posY", tuple(np.linspace(0, 1, 32)), "ordinal"),
    ]
)
_BATCH = 16_384


class DSprites(GridDataset):
    """The dSprites images, drawn from their recipe or read from the official file.

    Drawn images agree bit for bit with every official image that they were compared with. Without
    a cache the images asked for are drawn on the spot; after :meth:`prepare` all of them lie
    packed on disk (377 MB) and are memory-mapped, so that a process holds only what it touches.

    Two facts to know: the last orientation is the first one again (angles 0 and 2 pi), and squares
    and ellipses look the same after a quarter and a half turn.

    Parameters
    ----------
    path
        The official ``.npz`` or ``.hdf5``; its images are used in place of drawn ones. It is read
        once, packed and cached.

    Raises
    ------
    FileNotFoundError
        If there is no file at ``path``.
    ValueError
        If the file at ``path`` does not hold dSprites in the official order.

    >>> dataset = DSprites()
    >>> dataset.images([0, 1]).shape
    (2, 64, 64, 1)
    >>> dataset.factors([0, 737279]).tolist()
    [[0, 0, 0, 0, 0], [2, 5, 39, 31, 31]]
    """

    name = "dsprites"
    space = _SPACE
    image_shape = (_sprites.SIDE, _sprites.SIDE, 1)
    binary = True
    symmetries = (
        CyclicShift("orientation", 39),  # the last of the 40 is the first again
        Translation("posX", 32),
        Translation("posY", 32),
    )

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else None
        if self.path is None:
            self._packed = self._open(self.cache_file)
        else:
            self._packed = self._open_official(self.path)

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process maps the same file; its content need not travel.
        return type(self), (self.path,), self._chosen

    @property
    def identity(self) -> str:
        """The name; with the hash of the file where the images are from one."""
        return self.name if self.path is None else f"{self.name}-{content_hash(self.path)[:16]}"

    @property
    def cache_file(self) -> Path:
        """Where :meth:`prepare` keeps the drawn images."""
        return cache_folder() / "dsprites-drawn-1.npy"

    @property
    def is_prepared(self) -> bool:
        """Whether all images lie on disk."""
        return self._packed is not None

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> DSprites:
        """Draw all images into the cache, once; ``progress`` gets (images done, total)."""
        if self._packed is None:
            _write_packed(self.cache_file, self._drawn_batches(), progress)
            self._packed = self._open(self.cache_file)
        return self

    def stored(self, indices: object) -> np.ndarray:
        """Images (n, 512) uint8 of eight pixels a byte, as by ``numpy.packbits``."""
        indices = check_indices(indices, len(self))
        if self._packed is None:
            return _sprites.draw(self.space.levels(indices))
        return self._packed[indices]

    def images(self, indices: object) -> np.ndarray:
        """Images (n, 64, 64, 1) uint8, 0 or 255."""
        pixels = np.unpackbits(self.stored(indices), axis=1)
        np.multiply(pixels, 255, out=pixels)
        return pixels.reshape(-1, *self.image_shape)

    def export(self, path: str | Path, progress: Callable[[int, int], None] | None = None) -> None:
        """Write the official layout: ``imgs`` (0 or 1), ``latents_values``, ``latents_classes``,
        ``metadata`` (a pickled dict there as here; other tools expect it).
        """  # noqa: D205
        path = Path(path)
        levels = np.pad(self.space.levels(np.arange(len(self))), ((0, 0), (1, 0)))
        values = np.pad(
            self.space.values(levels[:, 1:]), ((0, 0), (1, 0)), constant_values=1.0
        )  # the colour, always white
        with (
            written_whole(path) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive,
        ):
            with archive.open("imgs.npy", "w", force_zip64=True) as file:
                header = {"descr": "|u1", "fortran_order": False, "shape": (len(self), 64, 64)}
                npy.write_array_header_1_0(file, header)
                for start in range(0, len(self), _BATCH):
                    stop = min(start + _BATCH, len(self))
                    pixels = np.unpackbits(self.stored(np.arange(start, stop)), axis=1)
                    file.write(pixels.data)
                    if progress:
                        progress(stop, len(self))
            for key, array in {
                "latents_values": values,
                "latents_classes": levels,
                "metadata": np.array(_official_metadata()),
            }.items():
                with archive.open(f"{key}.npy", "w", force_zip64=True) as file:
                    npy.write_array(file, array, allow_pickle=True)

    @classmethod
    def fetch(cls, progress: Callable[[int, int | None], None] | None = None) -> Path:
        """Download the official file into the cache (26 MB) and return its path.

        Raises
        ------
        ConnectionError, ValueError
            As :func:`unweave.datasets.download.download`.
        """
        report = (lambda _, here, total: progress(here, total)) if progress else None
        return fetch(cls.name, progress=report)[0]

    def _drawn_batches(self):
        for start in range(0, len(self), _BATCH):
            indices = np.arange(start, min(start + _BATCH, len(self)))
            yield _sprites.draw(self.space.levels(indices))

    def _open_official(self, path: Path) -> np.ndarray:
        if not path.is_file():
            raise FileNotFoundError(
                f"no file at {path}: give the official dSprites .npz or .hdf5, or leave the path "
                "out to have the images drawn"
            )
        return built_array(
            f"dsprites-{content_hash(path)[:16]}",
            (len(self), _sprites.BYTES_PER_IMAGE),
            np.uint8,
            lambda: _official_batches(path, self.space),
        )

    def _open(self, file: Path) -> np.ndarray | None:
        if not file.exists():
            return None
        try:
            packed = np.load(file, mmap_mode="r")
            if packed.shape != (len(self), _sprites.BYTES_PER_IMAGE) or packed.dtype != np.uint8:
                raise ValueError(f"its shape is {packed.shape}")
        except (ValueError, EOFError, OSError) as error:
            warnings.warn(
                f"{file} is damaged ({error}): its images are drawn when needed", stacklevel=3
            )
            file.unlink()
            return None
        return packed


def _write_packed(path: Path, batches, progress: Callable[[int, int], None] | None) -> None:
    total = len(_SPACE)
    done = 0
    with written_whole(path) as temporary, open(temporary, "wb") as file:
        shape = (total, _sprites.BYTES_PER_IMAGE)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(file, header)
        for batch in batches:
            file.write(batch)
            done += len(batch)
            if progress:
                progress(done, total)


def _official_batches(path: Path, space: FactorSpace) -> Iterator[tuple[int, np.ndarray]]:
    """Packed images from the official file, read in pieces; its pickled metadata is left alone."""
    names = member_names(path)
    classes = "latents/classes" if "latents/classes" in names else "latents_classes"
    missing = [name for name in ("imgs", classes) if name not in names]
    if missing:
        raise ValueError(f"{path} is not the dSprites file: it has no {' and no '.join(missing)}")
    levels = open_member(path, classes).read()
    if levels.shape != (len(space), 6) or not np.array_equal(levels[:, 1:], space.all_levels()):
        raise ValueError(
            f"{path} holds other factors than dSprites, or in another order: shape, "
            "scale, orientation, posX, posY were expected, the last one fastest"
        )
    images = open_member(path, "imgs")
    if images.shape != (len(space), 64, 64) or images.dtype != np.uint8 or images.fortran_order:
        raise ValueError(
            f"the images in {path} are {images.dtype} of shape {images.shape}, not uint8 of shape "
            f"{(len(space), 64, 64)}"
        )
    for start, pixels in images.blocks():
        if pixels.max() > 1:
            raise ValueError(f"the images in {path} hold other pixels than 0 and 1")
        yield start, np.packbits(pixels.reshape(len(pixels), -1), axis=1)


def _official_metadata() -> dict[str, object]:
    names = ("color", *_SPACE.names)
    possible = {"color": np.array([1.0])}
    possible |= {f.name: np.array(f.values) for f in _SPACE.factors}
    return {
        "title": "dSprites dataset",
        "description": "Disentanglement test sprites, drawn by unweave from the fitted recipe; "
        "the original is by Loic Matthey, Irina Higgins, Demis Hassabis and Alexander Lerchner, "
        "https://github.com/google-deepmind/dsprites-dataset, Apache-2.0.",
        "author": "unweave",
        "date": date.today().isoformat(),
        "version": 1,
        "latents_names": names,
        "latents_sizes": np.array([1, *_SPACE.sizes]),
        "latents_possible_values": possible,
    }
