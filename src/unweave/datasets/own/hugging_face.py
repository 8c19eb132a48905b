"""Datasets of Hugging Face `datasets`: from its hub, from folders, and from Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unweave._check import check_choice
from unweave.datasets.dataset import ImageDataset
from unweave.datasets.names import parse
from unweave.datasets.own.columns import Names, read_columns, split_names, with_factors
from unweave.datasets.own.files import Channels, Fit, Resample
from unweave.datasets.own.folders import declared_kinds
from unweave.datasets.own.hugging_face_images import opened_images
from unweave.datasets.own.hugging_face_sources import opened, package

if TYPE_CHECKING:
    import datasets as hf

__all__ = ["from_huggingface"]


def from_huggingface(
    dataset: hf.Dataset | hf.DatasetDict | str | Path,
    *,
    split: str | None = None,
    config: str | None = None,
    image: str | None = None,
    factors: Names | None = None,
    nuisances: Names = (),
    categorical: Names = (),
    ordinal: Names = (),
    continuous: Names = (),
    circular: Names = (),
    size: int | tuple[int, int] | None = None,
    resample: Resample = "lanczos",
    fit: Fit = "crop",
    channels: Channels = "auto",
    background: str | None = None,
    download: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ImageDataset:
    """Images and factors of a dataset of the package `datasets`.

    Factors are the columns of class labels, numbers, booleans and words; class labels are
    categorical. They are known by their names, so that neither the order of the columns nor that
    of the rows matters: mirrors of a dataset that sort its factors or shuffle its rows are read
    correctly. Images are decoded once into a memory-mapped cache.

    Parameters
    ----------
    dataset
        A dataset; a folder that ``save_to_disk`` wrote; a Parquet file or a folder of them; or
        the name of a dataset on the hub, as OWNER/NAME. No code of a dataset is ever run.
    split
        As train or test. It must be chosen where there are several.
    config
        Configuration on the hub, where there are several.
    image
        Column of the images. By default the only one of the type ``Image``, or of arrays.
    factors
        Columns of the factors that are scored. By default all that can be factors.
    nuisances
        Columns of factors that are not scored.
    categorical, ordinal, continuous, circular
        Names of columns that are of this kind.
    size, resample, fit, channels, background
        As of :class:`~unweave.datasets.own.files.ImageFiles`.
    download
        Whether to download the dataset from the hub if it is not on this machine. Without it the
        network is not used.
    progress
        Called with the images that are decoded and the images in all.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or the dataset is not on this machine.
    ConnectionError
        If it cannot be downloaded.
    ValueError
        If a split must be chosen, there is no such column, or images or factors cannot be used.
    ImportError
        If `datasets` is not installed.
    """
    kinds = declared_kinds(
        categorical=categorical, ordinal=ordinal, continuous=continuous, circular=circular
    )
    chosen = None if factors is None else split_names(factors)
    unscored = split_names(nuisances)
    name = parse(f"hf:{dataset}").label if isinstance(dataset, str | Path) else "images"
    if isinstance(dataset, str | Path):
        dataset = opened(str(dataset), config, download)
    table = _one_split(dataset, split, name)
    columns = list(table.features)
    for column in (*(chosen or ()), *unscored, *kinds):
        check_choice(f"column of {name}", column, columns)
    image = _image_column(table, image, name)
    images = opened_images(
        table,
        image,
        name=name,
        size=size,
        resample=resample,
        fit=fit,
        channels=channels,
        background=background,
        progress=progress,
    )
    usable, unused = _factor_columns(table, image)
    if chosen is not None:
        refused = [column for column in chosen if column not in usable]
        if refused:
            raise ValueError(
                f"the column {refused[0]} of {name} cannot be a factor, as it holds "
                f"{table.features[refused[0]]}: choose columns of class labels, numbers, booleans "
                "or words"
            )
        usable = [column for column in usable if column in (*chosen, *unscored)]
    elif unused:
        images.notes += (f"columns that cannot be factors are left out: {', '.join(unused)}",)
    if not usable:
        return images
    try:
        found = read_columns(
            _frame(table, usable), kinds=kinds, required=(*(chosen or ()), *unscored)
        )
    except ValueError as error:
        raise ValueError(
            f"{name}: {error}; ?factors= (factors=() in Python) leaves all columns out"
        ) from error
    return with_factors(images, found, nuisances=unscored)


def _one_split(dataset: Any, split: str | None, name: str) -> Any:
    hf = package()
    if isinstance(dataset, hf.DatasetDict):
        if split is None and len(dataset) > 1:
            counts = ", ".join(f"{key} ({len(part):,})" for key, part in dataset.items())
            raise ValueError(
                f"{name} has several splits: {counts}; choose one with ?split=NAME (split=NAME in "
                "Python)"
            )
        key = next(iter(dataset)) if split is None else split
        dataset = dataset[check_choice(f"split of {name}", key, list(dataset))]
    elif split is not None and str(getattr(dataset, "split", None)) != split:
        raise ValueError(f"{name} is one table without splits: leave out split={split}")
    if not isinstance(dataset, hf.Dataset):
        raise ValueError(
            f"{name} is {type(dataset).__name__}, and rows are needed by number: give a Dataset or "
            "DatasetDict, not one that streams"
        )
    if not len(dataset):
        raise ValueError(f"{name} has no rows")
    return dataset


def _image_column(table: Any, chosen: str | None, name: str) -> str:
    features = table.features
    if chosen is not None:
        return check_choice(f"column of {name}", chosen, list(features))
    hf = package()
    found = [key for key, kind in features.items() if isinstance(kind, hf.Image)]
    found = found or [key for key, kind in features.items() if _is_array(kind)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{key} ({kind})" for key, kind in features.items())
    count = f"{len(found)} columns" if found else "no column"
    raise ValueError(
        f"{name} has {count} of images: choose one with ?image=NAME (image=NAME in Python) from "
        f"{listed}"
    )


def _is_array(kind: Any) -> bool:
    hf = package()
    if isinstance(kind, hf.Array2D | hf.Array3D):
        return True
    inner = getattr(kind, "feature", None)
    return getattr(inner, "feature", None) is not None


def _factor_columns(table: Any, image: str) -> tuple[list[str], list[str]]:
    """Names of the columns that can be factors, and of those that cannot."""
    hf = package()
    usable: list[str] = []
    unused: list[str] = []
    for key, kind in table.features.items():
        is_value = isinstance(kind, hf.Value) and kind.dtype.startswith(
            ("int", "uint", "float", "bool", "string", "large_string")
        )
        if key != image:
            (usable if is_value or isinstance(kind, hf.ClassLabel) else unused).append(key)
    return usable, unused


def _frame(table: Any, columns: Sequence[str]) -> Any:
    """The columns as a polars frame; class labels are words in the order of the classes."""
    import polars as pl

    hf = package()
    frame = table.select_columns(list(columns)).with_format(None).to_polars()
    for key in columns:
        kind = table.features[key]
        if isinstance(kind, hf.ClassLabel):
            words = dict(enumerate(kind.names))  # -1, where a class is missing, is not among them
            column = pl.col(key).replace_strict(
                words, default=None, return_dtype=pl.Enum(kind.names)
            )
            frame = frame.with_columns(column)
    return frame
