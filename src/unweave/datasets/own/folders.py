"""Folders of images, with a table of factors or with sub-folders as labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from unweave._check import check_choice
from unweave._tables.files import is_index
from unweave.datasets.own.columns import (
    FactorColumns,
    Names,
    read_columns,
    split_names,
    with_factors,
)
from unweave.datasets.own.file_names import rows_of_files
from unweave.datasets.own.files import Fit, ImageFiles, Resample, unusable_files
from unweave.datasets.own.folder_contents import ImageFolder, look_into, read_factor_table
from unweave.datasets.table import ImageTable

__all__ = ["Labels", "declared_kinds", "from_folder"]

Labels = Literal["auto", "table", "folders", "none"]


def from_folder(
    folder: str | Path,
    *,
    labels: Labels = "auto",
    table: str | Path | None = None,
    factors: Names | None = None,
    nuisances: Names = (),
    categorical: Names = (),
    ordinal: Names = (),
    continuous: Names = (),
    circular: Names = (),
    size: int | tuple[int, int] | None = None,
    resample: Resample = "lanczos",
    fit: Fit = "crop",
    channels: Literal["auto", "grey", "colour"] = "auto",
    background: str | None = None,
    skip_damaged: bool = False,
) -> ImageFiles | ImageTable:
    """A dataset of the images in a folder and its sub-folders.

    Images are those with the suffixes of PNG, JPEG, TIFF, WebP, BMP, GIF and PNM, in natural order
    (``2.png`` before ``10.png``); files whose names begin with a dot are skipped. ``notes`` of the
    dataset say what was left out.

    Parameters
    ----------
    folder
        Where the images lie.
    labels
        Where factors come from: ``table``, ``folders`` (the names of the sub-folders of the first
        level), or ``none``. ``auto`` takes the table if there is one, else none.
    table
        File with the factors, in the folder or elsewhere; by default ``factors.csv``, ``.tsv`` or
        ``.parquet`` in the folder. One of its columns names the files: paths below the folder, or
        bare names if these are unique, with or without suffix. Factors of files that it does not
        name are unknown.
    factors
        Names of the columns to take; by default all that can be factors.
    nuisances
        Names of factors that vary in the images and are not scored.
    categorical, ordinal, continuous, circular
        Names of columns that are of this kind. That of others follows from their values, as
        :func:`~unweave.datasets.own.columns.read_columns` says.
    size, resample, fit, channels, background
        As of :class:`~unweave.datasets.own.files.ImageFiles`.
    skip_damaged
        Leave out files that cannot be read, are damaged or animated. All files are decoded once
        more to find them.

    Raises
    ------
    OSError
        If there is no such folder or table, or they cannot be read.
    ValueError
        If there are no images or they cannot be used, or the table does not fit them.
    """
    check_choice("labels", labels, get_args(Labels))
    kinds = declared_kinds(
        categorical=categorical, ordinal=ordinal, continuous=continuous, circular=circular
    )
    found = look_into(folder)
    source = _table_of(found, labels, table)
    names, notes = list(found.images), _remarks(found, labels, source)
    if skip_damaged:
        names = _without_damaged(found, names, notes)
    images = ImageFiles(
        [os.path.join(found.folder, image) for image in names],
        size=size,
        resample=resample,
        fit=fit,
        channels=channels,
        background=background,
        name=found.folder.resolve().name or "images",
    )
    images.notes += tuple(notes)
    chosen = None if factors is None else (*split_names(factors), *split_names(nuisances))
    if source is not None:
        columns = _of_table(source, found, names, chosen, kinds)
    elif labels == "folders" and len(found.classes) > 1:
        columns = read_columns({"label": [_class_of(image) for image in names]}, kinds=kinds)
    else:
        return images
    return with_factors(images, columns, nuisances=nuisances)


def _table_of(found: ImageFolder, labels: Labels, table: str | Path | None) -> Path | None:
    """The file with the factors."""
    if table is not None:
        if labels in ("folders", "none"):
            raise ValueError(f"a table and labels={labels} were given: leave one of them out")
        inside = found.folder / table
        return inside if inside.is_file() else Path(table)
    if labels in ("folders", "none"):
        return None
    own = found.factor_table()
    if own is None and labels == "table":
        others = ", ".join(file.name for file in found.tables) or "none"
        raise FileNotFoundError(
            f"{found.folder} has no factors.csv, factors.tsv or factors.parquet; tables there: "
            f"{others}; name the table with table= in Python or ?table=NAME after the folder's name"
        )
    return own


def _remarks(found: ImageFolder, labels: Labels, table: Path | None) -> list[str]:
    """What a user should know of how the folder was read."""
    notes = []
    n_skipped = sum(found.skipped.values())
    if n_skipped:
        kinds = ", ".join(f"{n:,} x {suffix}" for suffix, n in list(found.skipped.items())[:5])
        notes.append(f"{n_skipped:,} files that are not images were skipped: {kinds}")
    if labels == "folders" and len(found.classes) < 2:
        where = f"only {found.classes[0]}" if found.classes else "no sub-folder"
        notes.append(f"{where} holds images, so that sub-folders give no label that varies")
    if labels != "auto" or table is not None:
        return notes
    if found.tables:
        names = ", ".join(file.name for file in found.tables[:5])
        notes.append(f"{names} was not read: take its factors with table={found.tables[0].name}")
    if 2 <= len(found.classes) <= len(found.images) // 2:
        shown = ", ".join(found.classes[:5]) + (", ..." if len(found.classes) > 5 else "")
        notes.append(
            f"images lie in {len(found.classes):,} sub-folders ({shown}): take their names as "
            "labels with labels=folders"
        )
    return notes


def _without_damaged(found: ImageFolder, names: list[str], notes: list[str]) -> list[str]:
    faults = unusable_files([found.folder / name for name in names])
    kept = [name for name in names if found.folder / name not in faults]
    if not kept:
        raise ValueError(
            f"all {len(names):,} image files of {found.folder} are unusable, as "
            f"{names[0]} ({next(iter(faults.values()))})"
        )
    if faults:
        shown = [f"{file} ({fault})" for file, fault in list(faults.items())[:10]]
        more = f" and {len(faults) - len(shown):,} more" if len(faults) > len(shown) else ""
        notes.append(f"{len(faults):,} files were left out: {', '.join(shown)}{more}")
    return kept


def _of_table(
    table: Path,
    found: ImageFolder,
    names: Sequence[str],
    chosen: Sequence[str] | None,
    kinds: dict[str, str],
) -> FactorColumns:
    """The factors of each image, as the table has them."""
    import polars as pl

    frame = read_factor_table(table)
    column, rows = rows_of_files(frame, found.images, table=table, folder=found.folder)
    row_of = dict(zip(found.images, rows.tolist(), strict=True))
    own = pl.Series([row_of[name] if row_of[name] >= 0 else None for name in names], dtype=pl.Int64)
    others = [name for name in frame.columns if name != column and not is_index(name)]
    for name in chosen or ():
        check_choice("factor", name, others)
    taken = others if chosen is None else list(dict.fromkeys(chosen))
    if not taken:
        raise ValueError(
            f"{table} has no column besides {column!r}, which names the files: add the factors, "
            "or take the images without labels, with labels=none"
        )
    columns = {name: frame[name].gather(own) for name in taken}
    try:
        read = read_columns(columns, kinds=kinds, required=chosen or ())
    except ValueError as error:
        raise ValueError(f"{table}: {error}") from error
    n_without = own.null_count()
    notes = list(read.notes)
    if n_without:
        notes.append(
            f"{n_without:,} of {len(names):,} images have no row in {table.name}: their factors "
            "are unknown"
        )
    return FactorColumns(read.factor_columns, read.values, read.left_out, tuple(notes))


def _class_of(image: str) -> str | None:
    """The sub-folder that an image lies in; None if it lies in none."""
    first, _, rest = image.partition("/")
    return first if rest else None


def declared_kinds(**names: Names) -> dict[str, str]:
    """The kind that is declared of each column, from the names that are declared of each kind.

    Raises
    ------
    ValueError
        If a column is declared twice.
    """
    kinds: dict[str, str] = {}
    for kind, listed in names.items():
        for name in split_names(listed):
            if kinds.setdefault(name, kind) != kind:
                raise ValueError(
                    f"factor {name!r} is declared {kinds[name]} and {kind}: choose one of them"
                )
    return kinds
