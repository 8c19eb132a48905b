"""Cars3D (Reed et al. 2015): rendered cars seen from all sides, 17,568 images."""

from __future__ import annotations

import io
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np

from unweave._storage import cache_folder
from unweave.datasets.content import content_hash
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.official.grids import OfficialGrid, check_size, resized
from unweave.datasets.official.location import official_file
from unweave.datasets.store import built_array
from unweave.datasets.symmetries import CyclicShift

__all__ = ["Cars3D"]

_ARCHIVE = "nips2015-analogy-data.tar.gz"
_SPACE = FactorSpace(
    [
        Factor("elevation", tuple(range(4))),
        Factor("azimuth", tuple(2 * np.pi * np.arange(24) / 24), "circular"),
        Factor("object_type", tuple(range(183)), "categorical"),
    ]
)


class Cars3D(OfficialGrid):
    """Cars3D, read from the official archive ``nips2015-analogy-data.tar.gz``, or unpacked.

    Objects are numbered in the order of the archive's ``list.txt``. (Code that numbers them as
    the operating system lists the files has other objects on other machines.) The images are
    written once into the cache (863 MB with 128 pixels, 216 MB with 64) and memory-mapped.

    Parameters
    ----------
    path
        The archive; a folder that holds it; or a folder with ``list.txt`` and ``car_*_mesh.mat``,
        itself or in ``cars`` or ``data/cars``. None for the dataset's folder in the cache.
    size
        Pixels on a side, 128 or fewer. Images are resized by Pillow's LANCZOS filter. Published
        results are of 64.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If ``size`` is not possible, or the files are damaged or not the official ones.

    References
    ----------
    Reed, Zhang, Zhang, Lee: Deep Visual Analogy-Making (2015).
    """

    name = "cars3d"
    space = _SPACE
    symmetries = (CyclicShift("azimuth", 24),)
    official_size = 128
    """Pixels on a side of the images in the files."""

    def __init__(self, path: str | Path | None = None, *, size: int = 128) -> None:
        size = check_size(size, self.official_size)
        super().__init__(path, size=size)
        self.image_shape = (size, size, 3)
        self._source = _source(path)
        self._files = self._source.files

    def _map(self, progress: Callable[[int, int], None] | None) -> np.ndarray:
        size = self.image_shape[0]
        key = f"{self.name}-{size}-{content_hash(*self._files)[:24]}"
        shape = (len(self), *self.image_shape)
        return built_array(key, shape, np.uint8, self._blocks, progress=progress)

    def _blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Single images with their rows, object by object."""
        n_elevations, n_azimuths, n_objects = self.space.sizes
        numbers = {name: i for i, name in enumerate(self._source.names)}
        shape = (self.official_size, self.official_size, 3, n_azimuths, n_elevations)
        for name, content in self._source.meshes():
            images = _images(name, content, shape)
            for elevation in range(n_elevations):
                for azimuth in range(n_azimuths):
                    row = (elevation * n_azimuths + azimuth) * n_objects + numbers[name]
                    image = resized(images[..., azimuth, elevation], self.image_shape[0])
                    yield row, image[None]


class _Folder:
    """The unpacked files."""

    def __init__(self, folder: Path) -> None:
        listing = folder / "list.txt"
        self.names = _listed(listing.read_text(encoding="utf-8"), listing)
        self._meshes = [folder / f"{name}.mat" for name in self.names]
        missing = [mesh.name for mesh in self._meshes if not mesh.is_file()]
        if missing:
            raise FileNotFoundError(
                f"{folder} lacks {len(missing)} of the files in list.txt, as {missing[0]}: unpack "
                f"{_ARCHIVE} again"
            )
        self.files = (listing, *self._meshes)

    def meshes(self) -> Iterator[tuple[str, bytes]]:
        """Names and contents of the .mat files."""
        for name, mesh in zip(self.names, self._meshes, strict=True):
            yield name, mesh.read_bytes()


class _Archive:
    """The files in the archive, which is read from front to back."""

    def __init__(self, file: Path) -> None:
        self.files = (file,)
        self._names: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the objects, in order."""
        if not self._names:
            for path, content in self._members(".txt"):
                if path.name == "list.txt":
                    self._names = _listed(content.decode(), self.files[0])
                    return self._names
            raise ValueError(f"{self.files[0]} has no cars/list.txt: it is not {_ARCHIVE}")
        return self._names

    def meshes(self) -> Iterator[tuple[str, bytes]]:
        """Names and contents of the .mat files, in the order of the archive."""
        wanted = set(self.names)
        for path, content in self._members(".mat"):
            if path.stem in wanted:
                wanted.remove(path.stem)
                yield path.stem, content
        if wanted:
            raise ValueError(
                f"{self.files[0]} lacks {len(wanted)} of the files in list.txt, as "
                f"{min(wanted)}.mat: get the archive again"
            )

    def _members(self, suffix: str) -> Iterator[tuple[PurePosixPath, bytes]]:
        with _undamaged(self.files[0]), tarfile.open(self.files[0]) as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                if member.isfile() and path.suffix == suffix and path.parent.name == "cars":
                    inside = archive.extractfile(member)
                    assert inside is not None
                    yield path, inside.read()


def _source(path: str | Path | None) -> _Folder | _Archive:
    folder = cache_folder() / Cars3D.name if path is None else Path(os.path.expanduser(path))
    for place in (folder, folder / "cars", folder / "data" / "cars"):
        if (place / "list.txt").is_file():
            return _Folder(place)
    return _Archive(official_file(Cars3D.name, path, _ARCHIVE))


def _listed(text: str, file: Path) -> tuple[str, ...]:
    names = tuple(line.strip().removesuffix(".mat") for line in text.splitlines() if line.strip())
    n_objects = _SPACE.sizes[2]
    if len(set(names)) != n_objects or len(names) != n_objects:
        raise ValueError(
            f"the list.txt in {file} names {len(set(names))} different objects in {len(names)} "
            f"lines, and {Cars3D.name} has {n_objects}"
        )
    return names


def _images(name: str, content: bytes, shape: tuple[int, ...]) -> np.ndarray:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        found = loadmat(io.BytesIO(content), variable_names=["im"]).get("im")
    except (MatReadError, NotImplementedError, ValueError, TypeError, OSError, zlib.error) as error:
        raise ValueError(
            f"{name}.mat of {Cars3D.name} is damaged ({error}): get the file again"
        ) from error
    if found is None or found.shape != shape or found.dtype != np.uint8:
        what = "is missing" if found is None else f"is {found.dtype} of shape {found.shape}"
        raise ValueError(f"im in {name}.mat {what}, and must be uint8 of shape {shape}")
    return found


@contextmanager
def _undamaged(file: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise ValueError(
            f"{file} is damaged or truncated ({error}): get the archive again"
        ) from error
