"""The column of images of a Hugging Face dataset, decoded once into a memory-mapped cache."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from unweave._check import check_choice, check_indices
from unweave.datasets.dataset import ImageDataset, spread_rows
from unweave.datasets.own.arrays import ArrayDataset
from unweave.datasets.own.decoding import Decoded, Decoding, UnusablePicture, decode
from unweave.datasets.own.file_index import file_state, in_chunks
from unweave.datasets.own.files import Channels, Fit, Resample, background_colour, image_size
from unweave.datasets.own.headers import probe
from unweave.datasets.own.hugging_face_sources import package
from unweave.datasets.pixels import PixelScale
from unweave.datasets.resized import resized
from unweave.datasets.store import built_array

__all__ = ["HubImages", "opened_images"]

_BATCH = 256
_MOST_NAMED = 10


class HubImages(ImageDataset):
    """Images of a column of the type ``Image``.

    Parameters
    ----------
    table, column
        The dataset, and the column.
    name
        Names the dataset in messages.
    size, resample, fit, channels, background
        As of :class:`~unweave.datasets.own.files.ImageFiles`.

    Raises
    ------
    ValueError
        If images are of several sizes and none is given, or an option is unknown. When images are
        decoded also if some of them are missing or damaged.
    """

    def __init__(
        self,
        table: Any,
        column: str,
        *,
        name: str,
        size: int | tuple[int, int] | None,
        resample: Resample,
        fit: Fit,
        channels: Channels,
        background: str | None,
    ) -> None:
        hf = package()
        check_choice("resample", resample, get_args(Resample))
        check_choice("fit", fit, get_args(Fit))
        check_choice("channels", channels, get_args(Channels))
        self.name = name
        kept = table.select_columns([column]).with_format(None)
        self._column = column
        self._rows = kept.cast_column(column, hf.Image(decode=False))
        probed = [self._content(row) for row in spread_rows(len(self)).tolist()]
        headers = [self._probed(content) for content in probed]
        colour = None if background is None else background_colour(background)
        n_channels: Literal[1, 3] = 3
        if channels == "grey" or (channels == "auto" and all(h.is_grey for h in headers)):
            n_channels = 1
        sizes = Counter((h.height, h.width) for h in headers)
        self._is_resized = size is not None
        if not self._is_resized and len(sizes) > 1:
            raise self._of_several_sizes(sizes)
        height_width = next(iter(sizes)) if size is None else image_size(size)
        self._how = Decoding(height_width, n_channels, resample, fit, colour)
        self._may_be_coloured = channels != "auto" or n_channels == 3
        self.image_shape = (*height_width, n_channels)
        digest = hashlib.sha256(f"{table._fingerprint} {column} {len(self)} {self._how}".encode())
        for content in probed:
            digest.update(content)
        for state in self._states_of_files():
            digest.update(repr(state).encode())
        self._key = f"hf-{digest.hexdigest()[:24]}"
        self._mapped: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"HubImages({len(self)} images of {self.image_shape})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": None}  # another process maps the same file

    @functools.cached_property
    def identity(self) -> str:
        """The name, and a hash of the dataset's fingerprint and of how it is decoded."""
        return f"{self.name}-{self._key}"

    def images(self, indices: object) -> np.ndarray:
        """Images (n, height, width, channels) uint8."""
        rows = check_indices(indices, len(self))
        return np.asarray(self._decoded()[rows])

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> HubImages:
        """Decode all images into the cache, once."""
        self._decoded(progress)
        return self

    def _decoded(self, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
        if self._mapped is None:
            shape = (len(self), *self.image_shape)
            self._mapped = built_array(self._key, shape, np.uint8, self._blocks, progress=progress)
        return self._mapped

    def _blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        problems: dict[int, str] = {}
        scales: dict[str, PixelScale] = {}
        for start in range(0, len(self), _BATCH):
            rows = range(start, min(start + _BATCH, len(self)))
            block = np.zeros((len(rows), *self.image_shape), np.uint8)
            for row, found in zip(rows, in_chunks(self._decode, rows), strict=True):
                if isinstance(found, UnusablePicture):
                    problems[row] = found.reason
                    continue
                block[row - start] = found.levels
                scale = scales.setdefault(found.brightest.dtype.name, PixelScale(self._what))
                scale.convert(found.brightest)
            if problems:
                break
            yield start, block
        if problems:
            shown = ", ".join(f"row {row} ({reason})" for row, reason in problems.items())
            raise ValueError(
                f"images of {self.name} cannot be used: {shown}; leave these rows out, as with "
                "dataset.filter, or mend them and save the dataset again"
            )
        for scale in scales.values():
            scale.refuse_dark()

    def _decode(self, row: int) -> Decoded | UnusablePicture:
        try:
            content = self._content(row)
            header = probe(content)
            if not self._is_resized and (header.height, header.width) != self._how.size:
                return UnusablePicture(
                    f"of {header.height} x {header.width} pixels, not {self._how.size[0]} x "
                    f"{self._how.size[1]}: give a size, as ?size=64"
                )
            if not self._may_be_coloured and not header.is_grey:
                return UnusablePicture("coloured, unlike those before: say ?channels=colour")
            return decode(content, self._how, f"the pixels of row {row} of {self.name}")
        except UnusablePicture as problem:
            return problem

    def _states_of_files(self) -> Iterator[tuple[int, ...]]:
        """What shows a change of the image files outside of the table, of which it has no hash."""
        for chunk in self._rows.data.column(self._column).chunks:
            outside = chunk.field("path").filter(chunk.field("bytes").is_null())
            for path in outside.drop_null().to_pylist():
                yield file_state(path)

    def _content(self, row: int) -> bytes:
        """The bytes of an image file; empty if there is none."""
        found = self._rows[row][self._column]
        if found is None:
            return b""
        if found.get("bytes") is not None:
            return found["bytes"]
        try:
            return Path(found["path"]).read_bytes() if found.get("path") else b""
        except OSError:
            return b""

    def _probed(self, content: bytes) -> Any:
        try:
            return probe(content)
        except UnusablePicture as problem:
            raise ValueError(
                f"the column {self._column} of {self.name} holds an image that cannot be used "
                f"({problem.reason}): leave out rows without an image, as with dataset.filter"
            ) from problem

    def _of_several_sizes(self, sizes: Counter[tuple[int, int]]) -> ValueError:
        shown = ", ".join(f"{height} x {width}" for (height, width), _ in sizes.most_common(5))
        return ValueError(
            f"the images of {self.name} are of several sizes, height x width, as {shown}; resize "
            "them to one, as with --image-size 64 (or ?size=64 after the dataset's name, size=64 "
            "in Python)"
        )


def opened_images(
    table: Any,
    column: str,
    *,
    name: str,
    size: int | tuple[int, int] | None,
    resample: Resample,
    fit: Fit,
    channels: Channels,
    background: str | None,
    progress: Callable[[int, int], None] | None,
) -> ImageDataset:
    """The images of a column: of pictures, or of arrays.

    Raises
    ------
    ValueError
        As :class:`HubImages` and :class:`~unweave.datasets.ArrayDataset`.
    """
    hf = package()
    if isinstance(table.features[column], hf.Image):
        return HubImages(
            table,
            column,
            name=name,
            size=size,
            resample=resample,
            fit=fit,
            channels=channels,
            background=background,
        )
    if channels != "auto" or background is not None:
        raise ValueError(
            f"the column {column} of {name} holds arrays: channels and background are options of "
            "columns of the type Image"
        )
    stored = _stored_type(table.features[column])  # which the format would widen
    arrays = table.select_columns([column]).with_format("numpy", dtype=stored)
    first = np.asarray(arrays[0][column])
    key = hashlib.sha256(f"{table._fingerprint} {column} {len(table)}".encode())
    key.update(first.tobytes())

    def blocks() -> Iterator[tuple[int, np.ndarray]]:
        for start in range(0, len(table), _BATCH):
            block = np.asarray(arrays[start : start + _BATCH][column])
            if block.shape[1:] != first.shape or block.dtype != first.dtype:
                raise ValueError(
                    f"the arrays in the column {column} of {name} differ in shape or type between "
                    f"rows {start} and {start + len(block) - 1}: give all images the same size"
                )
            yield start, block

    shape = (len(table), *first.shape)
    mapped = built_array(
        f"hf-{key.hexdigest()[:24]}", shape, first.dtype, blocks, progress=progress
    )
    images = ArrayDataset(mapped[..., None] if mapped.ndim == 3 else mapped, name=name)
    return images if size is None else resized(images, size, resample=resample, fit=fit)


def _stored_type(kind: Any) -> np.dtype:
    """Type of the numbers in a column of arrays or nested lists."""
    while hasattr(kind, "feature"):
        kind = kind.feature
    return np.dtype(kind.dtype)
