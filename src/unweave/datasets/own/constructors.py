"""Datasets from arrays, folders and torch datasets, with or without factors."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unweave._extras import require
from unweave.datasets.dataset import ImageDataset
from unweave.datasets.own.arrays import ArrayDataset, Channels, ItemDataset
from unweave.datasets.own.columns import Kinds, Names, read_columns, with_factors
from unweave.datasets.own.folders import from_folder
from unweave.datasets.table import ImageTable

__all__ = ["from_arrays", "from_folder", "from_torch"]


def from_arrays(
    images: object,
    factors: Any = None,
    *,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Kinds = None,
    nuisances: Names = (),
    channels: Channels = "auto",
    name: str = "images",
) -> ArrayDataset | ImageTable:
    """A dataset of images in an array, with or without factors.

    Parameters
    ----------
    images
        Array, memory map or tensor (n, height, width, channels) or (n, channels, height, width),
        as of :class:`~unweave.datasets.ArrayDataset`, which says how pixels are read.
    factors
        Table (n, factors): an array, a data frame of pandas, polars or pyarrow, or a mapping of a
        column to each name. It may hold words, numbers, booleans and gaps.
    factor_names
        Names of its columns; by default those of a data frame.
    factor_kinds
        A kind to each name, or one for each column, None where it follows from the values, as
        :func:`~unweave.datasets.own.columns.read_columns` says.
    nuisances
        Names of factors that vary in the images and are not scored.
    channels, name
        As of :class:`~unweave.datasets.ArrayDataset`.

    Raises
    ------
    ValueError
        If images or factors cannot be used, or there is not one row of factors for each image.

    >>> images = np.zeros((4, 8, 8, 1), dtype=bool)
    >>> dataset = from_arrays(images, {"shape": ["cube", "ball", None, "cube"]})
    >>> dataset.factors([0, 1]).tolist(), dataset.factor_kinds
    ([[1.0], [0.0]], ('categorical',))
    """
    found = ArrayDataset(images, channels=channels, name=name)
    if factors is None:
        return found
    columns = read_columns(factors, names=factor_names, kinds=factor_kinds)
    return with_factors(found, columns, nuisances=nuisances)


def from_torch(
    dataset: Any,
    *,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Kinds = None,
    nuisances: Names = (),
    name: str = "images",
) -> ImageDataset:
    """A dataset of a map-style dataset of torch, whose items are images, or images and labels.

    Labels are read once, now, which reads every item; those of a ``TensorDataset`` are taken as
    they are. Images are read when they are asked for, so transforms must not be random.

    Parameters
    ----------
    dataset
        Has a length, and gives by number an image or a tuple (image, label): a number, a word, a
        sequence of them, or a mapping of one to each name. Further elements of the tuple are
        further labels. If it has ``classes``, as those of torchvision, they name the levels of a
        label of whole numbers.
    factor_names, factor_kinds, nuisances
        As of :func:`from_arrays`.
    name
        Names the dataset in messages.

    Raises
    ------
    ValueError
        If there are no images, or images or labels cannot be used.
    TypeError
        If it gives no items by number.
    """
    by_number = hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    is_iterable = isinstance(dataset, Mapping | str) or _is_of_torch(dataset, "IterableDataset")
    if not by_number or is_iterable:
        raise TypeError(
            f"{type(dataset).__name__} gives no items by number: from_torch needs a map-style "
            "dataset, with a length and items (image, labels)"
        )
    images: ImageDataset
    if _is_of_torch(dataset, "TensorDataset"):
        images = ArrayDataset(dataset.tensors[0], name=name)
        table = _columns_of([np.asarray(tensor) for tensor in dataset.tensors[1:]])
    else:
        images = ItemDataset(dataset, name=name)
        table = _labels(dataset)
    if not table:
        return images
    classes = getattr(dataset, "classes", None)
    if len(table) == 1 and classes is not None:
        table = {key: _named(values, list(classes)) for key, values in table.items()}
    columns = read_columns(table, names=factor_names, kinds=factor_kinds)
    return with_factors(images, columns, nuisances=nuisances)


def _is_of_torch(dataset: Any, name: str) -> bool:
    """Whether it is of a class of torch, which need not be installed."""
    loaded = sys.modules.get("torch.utils.data")
    return loaded is not None and isinstance(dataset, getattr(loaded, name))


def _columns_of(tensors: Sequence[np.ndarray]) -> dict[str, Any]:
    """A column for each label that tensors (n,) or (n, labels) hold."""
    columns: dict[str, Any] = {}
    for k, tensor in enumerate(tensors):
        name = "label" if len(tensors) == 1 else f"label_{k}"
        if tensor.ndim > 2:
            raise _not_labels(name, tensor.shape[1:])
        if tensor.ndim == 2 and tensor.shape[1] > 1:
            columns |= {f"{name}_{j}": column for j, column in enumerate(tensor.T)}
        else:
            columns[name] = tensor.reshape(-1)
    return columns


def _labels(dataset: Any) -> dict[str, list[Any]]:
    """A column for each label of the items; none if items are images only."""
    rows = []
    for i in range(len(dataset)):
        item = dataset[i]
        rows.append(_label_of(item[1:] if isinstance(item, tuple | list) else ()))
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _label_of(parts: Sequence[Any]) -> dict[str, Any]:
    """The labels of one item by their names."""
    found: dict[str, Any] = {}
    for k, part in enumerate(parts):
        name = "label" if len(parts) == 1 else f"label_{k}"
        if isinstance(part, Mapping):
            found |= {str(key): _scalar(value, str(key)) for key, value in part.items()}
        elif isinstance(part, str | bytes) or np.ndim(part) == 0:
            found[name] = _scalar(part, name)
        else:
            values = list(part)
            single = len(values) == 1
            found |= {
                name if single else f"{name}_{j}": _scalar(value, name)
                for j, value in enumerate(values)
            }
    return found


def _scalar(value: Any, name: str) -> Any:
    """A number, a word, or None."""
    if np.ndim(value) and np.size(value) != 1:
        raise _not_labels(name, np.shape(value))
    if hasattr(value, "detach") or isinstance(value, np.ndarray | np.generic):
        return value.item()
    return value


def _not_labels(name: str, shape: tuple[int, ...]) -> ValueError:
    return ValueError(
        f"{name} of each item is of shape {tuple(shape)}, and one number or word was needed: give "
        "a dataset of (image, label)"
    )


def _named(values: Any, classes: list[Any]) -> Any:
    """Numbers of classes as their words, in the order of the classes."""
    require("tables", needed_by="a dataset of classes")
    import polars as pl

    words = [str(word) for word in classes]
    numbers = [None if value is None else value for value in np.asarray(values).tolist()]
    known = [number for number in numbers if number is not None]
    are_numbers = all(isinstance(n, int) and 0 <= n < len(words) for n in known)
    if not are_numbers or len(set(words)) < len(words):
        return values
    named = [None if number is None else words[number] for number in numbers]
    return pl.Series(named, dtype=pl.Enum(words))
