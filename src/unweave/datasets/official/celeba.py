"""CelebA (Liu et al. 2015), read from its published files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from unweave._check import check_choice
from unweave.datasets.factors import Factor
from unweave.datasets.official._named_files import existing_files
from unweave.datasets.official.location import official_file
from unweave.datasets.own.files import Fit, ImageFiles, Resample
from unweave.datasets.table import ImageTable

__all__ = ["CelebA"]

Partition = Literal["all", "train", "valid", "test"]

_PARTITIONS = {"train": 0, "valid": 1, "test": 2}
_N_ATTRIBUTES = 40
_N_LANDMARKS = 10  # x and y of five
_IMAGES = "img_align_celeba"


class CelebA(ImageTable):
    """CelebA: 202,599 aligned faces of 178 x 218 pixels, with 40 attributes.

    The attributes are categorical factors with the levels no and yes. People judged them; they
    depend on each other and form no grid, so that none can be set while the others stay.

    Liu et al. (2015), https://arxiv.org/abs/1411.7766; for research that is not commercial.

    Parameters
    ----------
    path
        Folder with ``list_attr_celeba.txt``, ``list_eval_partition.txt`` and the folder
        ``img_align_celeba`` of images; or with the folders ``Anno``, ``Eval`` and ``Img`` that
        hold them. By default the folder ``celeba`` of the cache.
    partition
        Which images: ``all``, or the ``train`` (162,770), ``valid`` (19,867) or ``test`` (19,962)
        part.
    landmarks
        Whether eyes, nose and corners of the mouth (``list_landmarks_align_celeba.txt``) are
        factors too: ten continuous ones, in pixels of the published images, whatever ``size``.
    size
        Pixels: a side, or height and width.
    resample
        Filter that images are resized with.
    fit
        ``stretch`` squeezes the whole image into a square; ``crop`` takes the square in its
        middle, and so leaves out 20 rows at the top and at the bottom.

    Raises
    ------
    FileNotFoundError
        If files are missing; the first of them are named.
    ValueError
        If a file of labels is truncated or is not of its format, or the files are of different
        images.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        partition: Partition = "all",
        landmarks: bool = False,
        size: int | tuple[int, int] = 64,
        resample: Resample = "bicubic",
        fit: Fit = "stretch",
    ) -> None:
        check_choice("partition", partition, ("all", *_PARTITIONS))
        file = official_file("celeba", path, *_places("list_attr_celeba.txt", "Anno"))
        root = file.parent.parent if file.parent.name == "Anno" else file.parent
        attributes = _read(file, n_columns=_N_ATTRIBUTES)
        if not np.isin(attributes.values, (-1, 1)).all():
            raise ValueError(f"{file} holds other values than -1 and 1: get it again")
        factors = [Factor(name, (-1, 1), "categorical", ("no", "yes")) for name in attributes.names]
        values = (attributes.values + 1) // 2
        if landmarks:
            file = official_file(
                "celeba", root, *_places("list_landmarks_align_celeba.txt", "Anno")
            )
            points = _read(file, n_columns=_N_LANDMARKS)
            factors += [Factor(name, (), "continuous") for name in points.names]
            values = np.hstack([values, points.values[_rows(attributes.files, points.files, file)]])
        rows = _part(root, attributes.files, partition)
        names = [attributes.files[row] for row in rows]
        images = ImageFiles(
            existing_files(_image_folder(root), names, "celeba"),
            size=size,
            resample=resample,
            fit=fit,
            channels="colour",
            name="celeba",
        )
        super().__init__(images, factors, values[rows])


class _Labels(NamedTuple):
    """A file of labels."""

    names: list[str]
    """Names of columns."""
    files: list[str]
    """Files of images, a row each."""
    values: np.ndarray


def _read(path: Path, *, n_columns: int) -> _Labels:
    """A file with the number of images, the names of columns, and a row for each image.

    Raises
    ------
    ValueError
        If the rows are not as many as its first line says, or a row is not a name and numbers.
    """
    with open(path, encoding="utf-8") as file:
        stated, header = file.readline().strip(), file.readline().split()
        rows = [line.split(maxsplit=1) for line in file if line.strip()]
    if not stated.isdecimal() or len(header) != n_columns:
        raise ValueError(
            f"{path} must begin with a line of the number of images and a line of {n_columns} "
            f"names, not with {stated[:40]!r} and {len(header)} names: give the published file, "
            "not one that was converted"
        )
    if int(stated) != len(rows):
        raise ValueError(
            f"the first line of {path} says {int(stated):,} images, and it has {len(rows):,} rows: "
            "it is truncated or edited; get it again"
        )
    return _Labels(header, *_columns(rows, path, n_columns))


def _columns(
    rows: Sequence[Sequence[str]], path: Path, n_columns: int
) -> tuple[list[str], np.ndarray]:
    """Names of images and values (images, columns) of rows that are split after the name."""
    if not rows:
        raise ValueError(f"{path} has no rows of images: get it again")
    files = [row[0] for row in rows]
    try:
        values = np.loadtxt([row[1] for row in rows], dtype=np.int64, ndmin=2, comments=None)
    except (ValueError, IndexError) as error:
        raise ValueError(
            f"a row of {path} is not the name of an image and {n_columns} whole numbers ({error}): "
            "get it again"
        ) from error
    if values.shape != (len(files), n_columns):
        raise ValueError(
            f"the rows of {path} have {values.shape[1]} numbers each, not {n_columns}: get it again"
        )
    if len(set(files)) != len(files):
        raise ValueError(f"{path} lists an image twice: get it again")
    return files, values


def _part(root: Path, files: list[str], partition: Partition) -> np.ndarray:
    """Rows of the images in a partition, whose file has rows of its own order."""
    if partition == "all":
        return np.arange(len(files))
    path = official_file("celeba", root, *_places("list_eval_partition.txt", "Eval"))
    with open(path, encoding="utf-8") as file:
        named, values = _columns([line.split(maxsplit=1) for line in file if line.strip()], path, 1)
    numbers = values[_rows(files, named, path), 0]
    if not np.isin(numbers, list(_PARTITIONS.values())).all():
        raise ValueError(f"{path} holds other partitions than 0, 1 and 2: get it again")
    rows = np.flatnonzero(numbers == _PARTITIONS[partition])
    if not len(rows):
        raise ValueError(f"{path} has no image of the partition {partition}: choose another")
    return rows


def _rows(files: list[str], named: list[str], path: Path) -> np.ndarray:
    """Rows of a file of labels in the order of the images."""
    places = {name: row for row, name in enumerate(named)}
    missing = [row for row, name in enumerate(files) if name not in places]
    if missing or len(named) != len(files):
        extra = sorted(set(named).difference(files))
        rather = f"lacks {len(missing):,}, as {files[missing[0]]}" if missing else f"has {extra[0]}"
        raise ValueError(
            f"{path} has rows of {len(named):,} images, and list_attr_celeba.txt of "
            f"{len(files):,}; it {rather}: give files of the same images"
        )
    return np.array([places[name] for name in files], dtype=np.int64)


def _places(file: str, folder: str) -> tuple[str, str]:
    """Where the file may lie: where others do, or in the folder of the published tree."""
    return file, f"{folder}/{file}"


def _image_folder(root: Path) -> Path:
    """Folder of the images; some copies of the archive nest it in itself."""
    for folder in (root / _IMAGES / _IMAGES, root / "Img" / _IMAGES):
        if folder.is_dir():
            return folder
    return root / _IMAGES
