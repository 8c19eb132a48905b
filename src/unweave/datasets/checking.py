"""What a dataset holds: its images, its factors, and what is wrong with them."""

from __future__ import annotations

import io
import os
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unweave.datasets.dataset import FactorDataset, GridDataset, ImageDataset
from unweave.datasets.factors import Factor
from unweave.datasets.loading import load
from unweave.datasets.names import FILE_SUFFIXES, DatasetName, canonical, parse
from unweave.datasets.own.array_files import image_type
from unweave.datasets.own.file_index import content_of
from unweave.datasets.own.files import unusable_files
from unweave.datasets.own.folder_contents import look_into
from unweave.datasets.own.headers import probe

__all__ = ["FactorFindings", "Findings", "check_data"]

_BATCH = 256
_MOST_OF_CATALOGUE = 10_000
_MOST_OF_OTHERS = 100_000
_MOST_EXAMPLES = 100
_KINDS = {
    "1": "1-bit greyscale",
    "L": "8-bit greyscale",
    "LA": "8-bit greyscale with alpha",
    "P": "colours of a palette",
    "RGB": "8-bit colour",
    "RGBA": "8-bit colour with alpha",
    "I": "32-bit greyscale",
    "F": "floating-point greyscale",
}
"""By the mode of Pillow."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class FactorFindings:
    """One factor as the images have it."""

    name: str
    kind: str
    n_levels: int
    """Levels that occur; 0 if it takes any value."""
    examples: tuple[str, ...]
    """Words or values of the first 99 levels in their order, and of the last; the least and the
    greatest of any values."""
    n_missing: int
    """Images of which it is not known."""
    is_nuisance: bool
    fewest: int
    """Images with the level that has the fewest of those that occur; 0 if it takes any value."""


@dataclass
class Findings:
    """What :func:`check_data` found."""

    name: str
    """The canonical name."""
    dataset: ImageDataset | None = None
    """The dataset, if it could be opened, with the files left out that cannot be used."""
    n_files: int = 0
    """Image files of a folder."""
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    """Number of images of each height and width, as they lie in the files."""
    stored: dict[str, int] = field(default_factory=dict)
    """Number of images of each kind, as 8-bit colour, or of each type of numbers, as uint16."""
    n_looked_at: int = 0
    levels: tuple[int, int] | None = None
    """The darkest and the brightest level of all images that were looked at, of 0 to 255."""
    n_blank: int = 0
    """Images of a single colour, of those that were looked at."""
    factors: tuple[FactorFindings, ...] = ()
    n_labelled: int | None = None
    """Images of which every scored factor is known; None if there are no factors."""
    unusable: dict[str, str] = field(default_factory=dict)
    """Why files or rows cannot be used."""
    problems: list[str] = field(default_factory=list)
    """Why the dataset cannot be loaded by this name."""
    notes: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether the dataset can be loaded, and every image of it used."""
        return not self.problems and not self.unusable


def check_data(name: str | Path, *, progress: Progress | None = None) -> Findings:
    """Look through a dataset, and say what was found.

    Every file of a folder is decoded. Of more than 100,000 images, or 10,000 of the catalogue,
    some from all over are looked at. Where a folder cannot be loaded as it is, it is opened
    without the files that cannot be used, and with images resized to the most frequent size, to
    say the rest.

    Parameters
    ----------
    name
        As of :func:`~unweave.datasets.load`.
    progress
        Called with what is done, the images that are done, and the images in all.

    Raises
    ------
    ValueError, OSError, ImportError
        As :func:`~unweave.datasets.load`, if there is nothing to say but this.
    """
    found = Findings(canonical(name))
    parsed = parse(name)
    report = progress or (lambda what, done, total: None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path = Path(os.path.expanduser(parsed.name))
        if parsed.kind == "path" and (path.is_dir() or path.suffix.lower() not in FILE_SUFFIXES):
            _look_at_files(found, path, report)
            found.dataset = _opened_somehow(found, parsed, report)
        else:
            found.dataset = load(name, progress=lambda done, total: report("opening", done, total))
            if parsed.kind == "path":
                key = dict(parsed.options).get("images", "images")
                found.stored = {image_type(path, key): len(found.dataset)}
        if found.dataset is not None:
            most = _MOST_OF_CATALOGUE if parsed.kind == "catalogue" else _MOST_OF_OTHERS
            _look_at_images(found, found.dataset, most, report)
            _look_at_factors(found, found.dataset)
            found.notes += found.dataset.notes
    found.notes += list(dict.fromkeys(str(warning.message) for warning in caught))
    return found


def _look_at_files(found: Findings, folder: Path, report: Progress) -> None:
    """Sizes and modes of the image files, and which of them cannot be used."""
    content = look_into(folder)
    files = [content.folder / image for image in content.images]
    found.n_files = len(files)
    for start in range(0, len(files), _BATCH):
        report("decoding files", start, len(files))
        part = files[start : start + _BATCH]
        unusable = unusable_files(part)
        found.unusable |= {str(file.relative_to(folder)): why for file, why in unusable.items()}
        for file in part:
            if file not in unusable:
                kind, size = _stored_as(file)
                found.stored[kind] = found.stored.get(kind, 0) + 1
                found.sizes[size] = found.sizes.get(size, 0) + 1


def _stored_as(file: Path) -> tuple[str, tuple[int, int]]:
    """What kind of pixels a picture has, and its height and width."""
    from PIL import Image

    content = content_of(file)
    header = probe(content)
    with Image.open(io.BytesIO(content)) as image:
        mode = image.mode
        is_deep = any(";16" in str(tile.args) for tile in image.tile)
    if mode.startswith("I;16") or (is_deep and mode == "I"):
        kind = "16-bit greyscale"
    elif is_deep:
        kind = _KINDS.get(mode, mode).replace("8-bit", "16-bit")
    else:
        kind = _KINDS.get(mode, mode)
    return kind, (header.height, header.width)


def _opened_somehow(found: Findings, name: DatasetName, report: Progress) -> ImageDataset | None:
    """The folder as a dataset, with as many options as it takes to open it."""
    options: dict[str, Any] = {}
    if found.unusable:
        options["skip_damaged"] = True
    attempts: list[dict[str, Any]] = [{}]
    if found.sizes and "size" not in dict(name.options):
        most = max(found.sizes, key=lambda size: found.sizes[size])
        attempts.append({"size": most})
    attempts += [{**attempt, "background": "white"} for attempt in attempts]
    attempts += [{**attempt, "labels": "none", "table": None} for attempt in attempts]
    for attempt in attempts:
        try:
            dataset = load(str(name), **options, **attempt)
            dataset.prepare(lambda done, total: report("decoding", done, total))
        except ValueError as error:
            if str(error) not in found.problems:
                found.problems.append(str(error))
            continue
        return dataset
    return None


def _look_at_images(found: Findings, dataset: ImageDataset, most: int, report: Progress) -> None:
    rows = np.linspace(0, len(dataset) - 1, min(len(dataset), most)).astype(np.int64)
    low, high = 255, 0
    for start in range(0, len(rows), _BATCH):
        report("looking at images", start, len(rows))
        part = rows[start : start + _BATCH]
        try:
            images = dataset.images(part).reshape(len(part), -1, dataset.image_shape[2])
        except (ValueError, OSError) as error:
            found.unusable[f"rows {part[0]} to {part[-1]}"] = str(error)
            continue
        low, high = min(low, int(images.min())), max(high, int(images.max()))
        found.n_blank += int((images == images[:, :1]).all(axis=(1, 2)).sum())
        found.n_looked_at += len(part)
    report("looking at images", len(rows), len(rows))
    if found.n_looked_at:
        found.levels = (low, high)
    if not found.sizes:
        found.sizes = {dataset.image_shape[:2]: len(dataset)}


def _look_at_factors(found: Findings, dataset: ImageDataset) -> None:
    if not isinstance(dataset, FactorDataset):
        return
    labelled = dataset.labelled_rows
    found.n_labelled = len(dataset) if labelled is None else len(labelled)
    if isinstance(dataset, GridDataset):
        n = len(dataset)
        columns = [_full(factor, n, dataset.nuisances) for factor in dataset.factor_columns]
    else:
        values = dataset.all_factors(np.arange(len(dataset)))
        columns = [
            _of_column(factor, column, dataset.nuisances)
            for factor, column in zip(dataset.factor_columns, values.T, strict=True)
        ]
    found.factors = tuple(columns)


def _full(factor: Factor, n: int, nuisances: tuple[str, ...]) -> FactorFindings:
    """A factor of a full grid: every level has as many images."""
    return FactorFindings(
        factor.name,
        factor.kind,
        factor.size,
        _words(factor, np.arange(factor.size)),
        0,
        factor.name in nuisances,
        n // factor.size,
    )


def _of_column(factor: Factor, column: np.ndarray, nuisances: tuple[str, ...]) -> FactorFindings:
    known = column[np.isfinite(column)]
    n_missing, is_nuisance = len(column) - len(known), factor.name in nuisances
    if not factor.has_levels:
        ends = (f"{known.min():.5g}", f"{known.max():.5g}") if len(known) else ()
        return FactorFindings(factor.name, factor.kind, 0, ends, n_missing, is_nuisance, 0)
    counts = Counter(known.astype(int).tolist())
    levels = np.array(sorted(counts))
    return FactorFindings(
        factor.name,
        factor.kind,
        len(levels),
        _words(factor, levels),
        n_missing,
        is_nuisance,
        min(counts.values(), default=0),
    )


def _words(factor: Factor, levels: np.ndarray) -> tuple[str, ...]:
    if len(levels) > _MOST_EXAMPLES:
        levels = np.append(levels[: _MOST_EXAMPLES - 1], levels[-1])
    if factor.labels:
        return tuple(factor.labels[level] for level in levels)
    return tuple(f"{factor.values[level]:.5g}" for level in levels)
