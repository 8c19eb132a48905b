"""Datasets by name: see :mod:`unweave.datasets.names` for what a name may be."""

from __future__ import annotations

import importlib
import inspect
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unweave._objects import imported_object
from unweave.datasets.catalogue import DATASETS
from unweave.datasets.dataset import ImageDataset, check_dataset, need_factors
from unweave.datasets.fixed import fixed_at
from unweave.datasets.names import (
    FILE_SUFFIXES,
    DatasetName,
    canonical,
    check_name,
    parse,
    with_options,
)
from unweave.datasets.options import converted, option_names
from unweave.datasets.own.arrays import ArrayDataset
from unweave.datasets.own.files import Fit, Resample
from unweave.datasets.resized import resized
from unweave.datasets.selection import Selection, scoring
from unweave.datasets.splits import PARTS, SPLITS, Split
from unweave.datasets.splits import split as split_dataset

__all__ = ["DatasetName", "canonical", "check_name", "load", "load_split", "parse", "with_options"]


def load(
    name: str | Path | ImageDataset,
    *,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> ImageDataset:
    """The dataset called ``name``.

    Parameters
    ----------
    name
        A name of any of the forms of :mod:`unweave.datasets.names`, with or without options; a
        path; or a dataset, which is returned as it is.
    progress
        Called with the images that are done and the images in all, where files are unpacked or
        decoded.
    options
        Further options. They replace those of the name. Any dataset takes ``size``, ``resample``
        and ``fit`` (as :func:`~unweave.datasets.resized.resized`), ``factors`` and ``nuisances``
        (as :func:`~unweave.datasets.selection.scoring`), ``fixed`` (as
        :func:`~unweave.datasets.fixed.fixed_at`), and ``split`` with ``part``, which is ``train``
        or ``held_out``, and ``split_factors``, ``split_share`` and ``split_seed`` (as
        :func:`~unweave.datasets.split`). Your own mask is ``split=package.module:object``.
        Datasets of Hugging Face have another ``split``.

    Raises
    ------
    ValueError
        If there is no such dataset, if it has no such option, or if what it holds cannot be used.
    OSError
        If its files are missing or cannot be read.
    ImportError
        If a package that it needs is not installed, with how to install it; or if the module of
        ``package.module:object`` cannot be imported.

    >>> load("torus?size=16").image_shape
    (16, 16, 1)
    """
    if isinstance(name, ImageDataset):
        if options:
            raise ValueError(
                f"{name.name} is loaded already, and options come too late: {', '.join(options)}"
            )
        return name
    found = parse(name)
    dataset = _OPENERS[found.kind](found, dict(found.options) | options, progress)
    written = all(isinstance(value, _WRITTEN) for value in options.values())
    dataset.source = canonical(with_options(name, **options)) if written else ""
    return dataset


def load_split(name: str | Path) -> Split:
    """Both parts of the dataset called ``name``, which names a split, as rooms?split=composition.

    A ``part`` in the name is left aside.

    Raises
    ------
    ValueError
        If the name has no split; and as :func:`load`.

    >>> [len(part) for part in load_split("torus?split=random")]
    [2867, 1229]
    """
    if "split" not in dict(parse(name).options):
        raise ValueError(
            f"{name} is not split: say what is held out, as with ?split=composition after the "
            "name of the dataset (and quotes, because shells read ? and &)"
        )
    return Split(*(load(with_options(name, part=part)) for part in PARTS))  # type: ignore[arg-type]


def _open_catalogued(name: DatasetName, options: Mapping[str, Any], progress: Any) -> ImageDataset:
    if os.path.exists(name.name):
        warnings.warn(
            f"{name.name} is both the name of a dataset and a path here: the dataset of this name "
            f"is loaded; write ./{name.name} for the path",
            stacklevel=3,
        )
    entry = DATASETS[name.name]
    function = _function(entry.module, entry.function)
    taken = int(next(iter(inspect.signature(function).parameters), "") in _PATHS)
    if name.path is not None and not taken:
        raise ValueError(f"{name.name} is drawn here and reads no file: leave out :{name.path}")
    path = None if name.path is None else os.path.expanduser(name.path)
    return _called(
        function, options, progress, what=name.name, taken=taken, call=partial(entry.load, path)
    )


def _open_path(name: DatasetName, options: Mapping[str, Any], progress: Any) -> ImageDataset:
    path = Path(os.path.expanduser(name.name))  # which leaves the ~ of nobody as it is
    is_file = path.suffix.lower() in FILE_SUFFIXES and not path.is_dir()
    function = (
        _function("own.array_files", "from_file")
        if is_file
        else _function("own.constructors", "from_folder")
    )
    what = f"{path.suffix.lower()} files" if is_file else "folders of images"
    return _called(function, options, progress, what=what, taken=1, call=partial(function, path))


def _open_hugging_face(
    name: DatasetName, options: Mapping[str, Any], progress: Any
) -> ImageDataset:
    function = _function("own.hugging_face", "from_huggingface")
    call = partial(function, name.name)
    return _called(function, options, progress, what="Hugging Face datasets", taken=1, call=call)


def _open_object(name: DatasetName, options: Mapping[str, Any], progress: Any) -> ImageDataset:
    needed = "a dataset, or of a function or class that makes one"
    found = imported_object(name.name, needed, DATASETS)
    is_called = inspect.isclass(found) or (
        callable(found) and not isinstance(found, ImageDataset) and not hasattr(found, "__len__")
    )
    function = found if is_called else lambda: found
    return _called(
        function,
        options,
        progress,
        what=name.name,
        taken=0,
        call=lambda **keywords: _as_dataset(function(**keywords), name),
    )


def _called(
    function: Callable[..., Any],
    options: Mapping[str, Any],
    progress: Any,
    *,
    what: str,
    taken: int,
    call: Callable[..., ImageDataset],
) -> ImageDataset:
    """What ``call`` returns for the options of the function, with those that all datasets take."""
    own = option_names(function, taken=taken)
    others = tuple(key for key in _COMMON if own is not None and key not in own)
    if own is not None and "size" in own:  # it has its own way of making images of a size
        others = tuple(key for key in others if key not in ("resample", "fit"))
    common = {key: value for key, value in options.items() if key in others}
    left = {key: value for key, value in options.items() if key not in common}
    keywords = converted(function, left, what=what, taken=taken, others=others)
    signature = inspect.signature(function)
    if "progress" in signature.parameters:
        keywords["progress"] = progress
    try:
        signature.bind(*[None] * taken, **keywords)
    except TypeError as error:
        raise ValueError(
            f"{what} needs more options than were given ({error}): add them as ?name=value"
        ) from error
    return adapted(call(**keywords), **converted(adapted, common, what=what, taken=1))


def adapted(
    dataset: ImageDataset,
    *,
    size: int | tuple[int, int] | None = None,
    resample: Resample | None = None,
    fit: Fit | None = None,
    factors: Sequence[str] | None = None,
    nuisances: Sequence[str] = (),
    fixed: Mapping[str, int] | None = None,
    split: str | None = None,
    part: str | None = None,
    split_factors: Sequence[str] | None = None,
    split_share: float | None = None,
    split_seed: int | None = None,
) -> ImageDataset:
    """The part with factors ``fixed`` at levels, resized, and with a choice of the scored factors.

    ``factors`` of () takes none. Of this, one part of a split is taken, if there is one.

    Raises
    ------
    ValueError
        As :func:`~unweave.datasets.resized.resized`, :func:`~unweave.datasets.fixed.fixed_at` and
        :func:`~unweave.datasets.selection.scoring` and :func:`~unweave.datasets.split`; if factors
        are chosen and none are known; if it is said how images are resized, and to which size is
        not; if there is a split and no part, or a part and no split.
    """
    if fixed:
        dataset = fixed_at(need_factors(dataset, "factors were fixed"), fixed)
    if factors is not None and not factors:
        dataset = Selection(dataset, np.arange(len(dataset)))
    elif factors is not None or nuisances:
        labelled = need_factors(dataset, "a choice of factors was made")
        dataset = scoring(labelled, factors, nuisances=nuisances)
    if size is not None:
        dataset = resized(dataset, size, resample=resample or "lanczos", fit=fit or "crop")
    elif resample or fit:
        raise ValueError(
            f"the images of {dataset.name} are not resized, so that resample and fit mean nothing: "
            "give a size too, as size=64"
        )
    options = {"factors": split_factors, "share": split_share, "seed": split_seed}
    return _part(dataset, split, part, {k: v for k, v in options.items() if v is not None})


def _part(
    dataset: ImageDataset, split: str | None, part: str | None, options: Mapping[str, Any]
) -> ImageDataset:
    """One part of a split, or the dataset itself if there is none."""
    if split is None and (part is not None or options):
        raise ValueError(
            f"it is not said how {dataset.name} is split, so that the options of a split mean "
            f"nothing: give split too, as split=composition&part={part or 'train'}"
        )
    if split is None:
        return dataset
    if part not in PARTS:
        raise ValueError(
            f"a split has the parts {' and '.join(PARTS)}, and the part is "
            f"{'not said' if part is None else repr(part)}: give part=train or part=held_out"
        )
    labelled = need_factors(dataset, "the images were split by factors")
    needed = "booleans (rows,), or of a function that makes them"
    mask = imported_object(split, needed, SPLITS) if ":" in split else split
    return getattr(split_dataset(labelled, mask, **options), part)


def _as_dataset(found: Any, name: DatasetName) -> ImageDataset:
    if isinstance(found, ImageDataset):
        check_dataset(found)
        return found
    if hasattr(found, "__array__") or hasattr(found, "detach"):
        return ArrayDataset(found, name=name.label)
    if isinstance(found, tuple) and len(found) == 2:
        return _function("own.constructors", "from_arrays")(*found, name=name.label)
    if hasattr(found, "__getitem__") and hasattr(found, "__len__"):
        return _function("own.constructors", "from_torch")(found)
    raise ValueError(
        f"{name.name} is {type(found).__name__}, and images were needed: an ImageDataset, a "
        "function or class that makes one, an array, a pair of images and factors, or a dataset of "
        "torch"
    )


def _function(module: str, function: str) -> Callable[..., ImageDataset]:
    return getattr(importlib.import_module(f"unweave.datasets.{module}"), function)


_WRITTEN = (str, int, float, Path, list, tuple, Mapping, type(None))
"""Types of options that a name can hold."""
_PATHS = ("path", "folder", "file")
_COMMON = tuple(inspect.signature(adapted).parameters)[1:]
_OPENERS: dict[str, Callable[[DatasetName, Mapping[str, Any], Any], ImageDataset]] = {
    "catalogue": _open_catalogued,
    "path": _open_path,
    "hf": _open_hugging_face,
    "object": _open_object,
}
