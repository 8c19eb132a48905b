"""Images that lie in files, one each."""

from __future__ import annotations

import functools
import hashlib
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from unweave._check import check_choice, check_indices
from unweave._storage import cache_folder
from unweave.datasets.dataset import ImageDataset
from unweave.datasets.own.decoding import Decoded, Decoding, Fit, Resample, decode
from unweave.datasets.own.file_index import content_of, in_chunks, indexed, short_hash, unusable
from unweave.datasets.own.headers import UnusablePicture, probe
from unweave.datasets.own.image_cache import cached_images
from unweave.datasets.pixels import PixelScale

__all__ = ["Fit", "ImageFiles", "Resample", "background_colour", "image_size", "unusable_files"]

Channels = Literal["auto", "grey", "colour"]

_VERSION = 1
_CHUNK_BYTES = 1 << 23
_MOST_SIZES = 5
_LARGEST_SIDE = 16_384


class ImageFiles(ImageDataset):
    """Images of files, decoded once into a memory-mapped cache.

    PNG, JPEG, TIFF, WebP, BMP, PNM and single-frame GIF files are read, whatever their names end
    in. Making the object reads every file once, for a hash of its bytes and for its header; a file
    that did not change since is not opened again. :meth:`prepare`, or the first images asked for,
    decodes all of them into the cache as uint8. The cache is found by the hashes of the files and
    by the options, so that files which move or are copied are not decoded again.

    Pixels: bits become 0 and 255. 16-bit numbers and floats in [0, 1] become levels by the rule of
    :class:`~unweave.datasets.pixels.PixelScale`. CMYK, YCbCr and LAB become RGB. EXIF orientation
    is applied, colour profiles are not. An opaque alpha channel is dropped.

    Parameters
    ----------
    files
        The files, in the order of the rows.
    size
        Height and width of the images, or one number for both. By default the size that all files
        have.
    resample
        Filter by which Pillow resizes: ``lanczos``, ``bicubic``, ``bilinear``, ``box`` or
        ``nearest``. All of them but the last average over the pixels that become one. They work on
        the stored levels, not in linear light, and results stay in [0, 255].
    fit
        What happens to a picture of another shape than the size: ``crop`` cuts off what is too
        much on both sides, ``stretch`` distorts it, ``pad`` adds borders of the background, or
        black ones.
    channels
        ``grey`` for one channel (luma of ITU-R 601), ``colour`` for three. ``auto`` takes one if
        every file is greyscale, else three.
    background
        Colour that lies behind transparent pixels, as ``white``, ``black`` or ``#8090a0``. By
        default transparent images are refused.
    name
        Names the dataset in messages.

    Raises
    ------
    ValueError
        If there are no files; if some of them cannot be read, are not pictures or are animated, by
        their names; if they are of several sizes and none is given; if an option is unknown. When
        images are decoded also if files are damaged, transparent, or hold nan.
    OSError
        If the cache cannot be written, as when the disk is full.
    """

    def __init__(
        self,
        files: Sequence[str | Path],
        *,
        size: int | tuple[int, int] | None = None,
        resample: Resample = "lanczos",
        fit: Fit = "crop",
        channels: Channels = "auto",
        background: str | None = None,
        name: str = "images",
    ) -> None:
        self._paths = [os.fspath(file) for file in files]  # of less memory than Path
        self.name = name
        if not self._paths:
            raise ValueError(f"{name} has no image files: give at least one")
        check_choice("resample", resample, get_args(Resample))
        check_choice("fit", fit, get_args(Fit))
        check_choice("channels", channels, get_args(Channels))
        colour = None if background is None else background_colour(background)
        wanted = None if size is None else image_size(size)
        found, problems = indexed(self._paths)
        if problems:
            raise unusable(problems, len(self._paths), name)
        self.notes = _notes(found, channels)
        n_channels: Literal[1, 3] = 1 if _is_grey(found, channels, colour) else 3
        self._how = Decoding(wanted or self._only_size(found), n_channels, resample, fit, colour)
        self._content = found["content"].copy()
        self.image_shape = (*self._how.size, n_channels)
        self._mapped: np.ndarray | None = None

    @property
    def files(self) -> list[Path]:
        """The files, in the order of the rows."""
        return [Path(path) for path in self._paths]

    def __len__(self) -> int:
        return len(self._paths)

    def __repr__(self) -> str:
        return f"ImageFiles({len(self)} images of {self.image_shape})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": None}  # another process maps the same file

    @functools.cached_property
    def identity(self) -> str:
        """The name, and a hash of the content of all files and of the options."""
        return f"{self.name}-{self._key}"

    @functools.cached_property
    def _key(self) -> str:
        digest = hashlib.sha256(f"{_VERSION} {self._how}".encode())
        digest.update(self._content.tobytes())
        return digest.hexdigest()[:24]

    @property
    def cache_file(self) -> Path:
        """Where the decoded images are kept: an array (n, height, width, channels) uint8."""
        return cache_folder() / "images" / f"{self._key}.npy"

    def images(self, indices: object) -> np.ndarray:
        """Images (n, height, width, channels) uint8."""
        rows = check_indices(indices, len(self))
        return np.asarray(self._decoded()[rows])

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> ImageFiles:
        """Decode all images into the cache, once; ``progress`` gets (images done, total)."""
        self._decoded(progress)
        if progress:
            progress(len(self), len(self))
        return self

    def _decoded(self, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
        """All images, memory-mapped; decoded now, or by another process that is doing it."""
        if self._mapped is not None:
            return self._mapped
        self._mapped = cached_images(
            self.cache_file,
            (len(self), *self.image_shape),
            lambda stream: self._decode_into(stream, progress),
            f"decoded images of {self.name}",
        )
        return self._mapped

    def _decode_into(self, stream: Any, progress: Callable[[int, int], None] | None) -> None:
        chunk = max(1, min(1024, _CHUNK_BYTES // math.prod(self.image_shape)))
        problems: dict[Path, UnusablePicture] = {}
        scales: dict[str, PixelScale] = {}
        results = in_chunks(self._decode, range(len(self)), chunk=chunk)
        for row, found in enumerate(results):
            if isinstance(found, UnusablePicture):
                problems[Path(self._paths[row])] = found
            elif not problems:
                stream.write(found.levels.data)
                scale = scales.setdefault(found.brightest.dtype.name, PixelScale(self._what))
                scale.convert(found.brightest)
            if progress and (row + 1) % chunk == 0:
                progress(row + 1, len(self))
        if problems:
            raise unusable(problems, len(self), self.name)
        for scale in scales.values():
            scale.refuse_dark()

    def _decode(self, row: int) -> Decoded | UnusablePicture:
        try:
            content = content_of(self._paths[row])
            if short_hash(content) != self._content[row]:
                raise UnusablePicture(
                    "changed", "they changed while they were read: open the dataset again"
                )
            return decode(content, self._how, f"the pixels of {self._paths[row]}")
        except UnusablePicture as problem:
            return problem

    def _only_size(self, records: np.ndarray) -> tuple[int, int]:
        sides = np.stack([records["height"], records["width"]], axis=1)
        sizes, first, counts = np.unique(sides, axis=0, return_index=True, return_counts=True)
        if len(sizes) == 1:
            return int(sizes[0, 0]), int(sizes[0, 1])
        shown = [
            f"{sizes[k, 0]} x {sizes[k, 1]} ({counts[k]:,}, as {Path(self._paths[first[k]]).name})"
            for k in np.argsort(-counts, kind="stable")[:_MOST_SIZES]
        ]
        more = "" if len(sizes) <= _MOST_SIZES else f" and {len(sizes) - _MOST_SIZES:,} more"
        raise ValueError(
            f"the images of {self.name} are of {len(sizes):,} sizes, height x width: "
            f"{', '.join(shown)}{more}; resize them to one, as with --image-size 64 (or ?size=64 "
            "after the dataset's name, size=64 in Python)"
        )


def unusable_files(files: Sequence[str | Path]) -> dict[Path, str]:
    """Files that cannot be used, and why: empty, truncated, corrupt, animated or not readable.

    Every file is decoded. Those with transparency can be used, with a background.
    """
    paths = [Path(file) for file in files]
    faults = zip(paths, in_chunks(_fault, paths), strict=True)
    return {path: fault for path, fault in faults if fault}


def image_size(size: object) -> tuple[int, int]:
    """Height and width from a number for both, a pair, or text as ``64`` or ``48x64``.

    Raises
    ------
    ValueError
        If it is none of these, is not positive, or is more than 16,384.
    """
    parts: Any = size.lower().split("x") if isinstance(size, str) else size
    try:
        sides = [int(side) for side in np.atleast_1d(np.asarray(parts))]
        whole = isinstance(size, str) or np.array_equal(sides, np.atleast_1d(parts))
    except (TypeError, ValueError):
        sides, whole = [], False
    if not whole or len(sides) not in (1, 2) or min(sides) < 1:
        raise ValueError(
            f"size must be a number of pixels, or a height and a width, not {size!r}: give 64, "
            "(48, 64) or 48x64"
        )
    if max(sides) > _LARGEST_SIDE:
        raise ValueError(f"size={size} is more than {_LARGEST_SIDE:,} pixels on a side: give less")
    return sides[0], sides[-1]


def _fault(file: Path) -> str:
    try:
        content = content_of(file)
        probe(content)
        decode(content, Decoding((1, 1), 3, "nearest", "stretch", (0, 0, 0)), str(file))
    except UnusablePicture as problem:
        return problem.reason
    except ValueError:  # a whole picture, of pixels that are refused when they are used
        return ""
    return ""


def _is_grey(
    records: np.ndarray, channels: Channels, background: tuple[int, int, int] | None
) -> bool:
    if channels != "auto":
        return channels == "grey"
    behind = background is None or len(set(background)) == 1
    return behind and bool(records["is_grey"].all())


def _notes(records: np.ndarray, channels: Channels) -> tuple[str, ...]:
    n_grey = int(records["is_grey"].sum())
    n_turned = int(records["is_turned"].sum())
    notes = []
    if channels == "auto" and 0 < n_grey < len(records):
        notes.append(
            f"{n_grey:,} of {len(records):,} images are greyscale and the others are not: all are "
            "given three channels"
        )
    if n_turned:
        notes.append(f"{n_turned:,} images were turned or mirrored as their EXIF orientation says")
    return tuple(notes)


def background_colour(background: str) -> tuple[int, int, int]:
    """Red, green and blue of a colour in words or hexadecimal.

    Raises
    ------
    ValueError
        If it is not a colour.
    """
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(str(background))[:3]
    except ValueError as error:
        raise ValueError(
            f"background must be a colour, as white, black or #8090a0, not {background!r}"
        ) from error
    return red, green, blue
