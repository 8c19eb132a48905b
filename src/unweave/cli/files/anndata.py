"""The reader of .h5ad, by the layout that AnnData documents (version 0.7 and later)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unweave._extras import require
from unweave.cli.files.source import Source, shape_text

__all__ = ["h5ad_source"]

_SPARSE = ("csr_matrix", "csc_matrix")


def h5ad_source(file: Path) -> Source:
    """The embeddings (obsm), annotations (obs) and matrices (X, layers) of an AnnData file.

    Raises
    ------
    ValueError
        If the file holds no AnnData object.
    """
    require("hdf5", needed_by="an .h5ad file")
    import h5py

    with h5py.File(file) as content:
        if not hasattr(content.get("obs"), "keys"):
            raise ValueError(
                f"it has no group 'obs', which AnnData writes: it has {', '.join(content)}"
            )
        found = {name: _describe(content[name]) for name in _names(content)}

    def load(names: Sequence[str]) -> list[Any]:
        with h5py.File(file) as content:
            return [_read(content, name) for name in names]

    return Source(file, "array", found, load, {"codes": "obsm/", "factors": "obs/"})


def _names(content: Any) -> list[str]:
    names = ["X"] if "X" in content else []
    names += [f"{group}/{key}" for group in ("layers", "obsm") for key in content.get(group, ())]
    return names + [f"obs/{key}" for key in _columns(content["obs"])]


def _columns(frame: Any) -> list[str]:
    order = frame.attrs.get("column-order", ())
    return [key for key in map(_text, order) if key in frame]


def _describe(node: Any) -> str:
    encoding = _text(node.attrs.get("encoding-type", "array"))
    if encoding == "categorical" or "categories" in node.attrs:
        n = len(node["codes"]) if encoding == "categorical" else len(node)
        return shape_text("U", (n,))
    if encoding == "dataframe":
        return f"table, columns {', '.join(_columns(node))}"
    if encoding.startswith("nullable-"):
        return shape_text(_type_of(node["values"]), node["values"].shape)
    if encoding in _SPARSE:
        return shape_text(node["data"].dtype, node.attrs["shape"])
    if not hasattr(node, "dtype"):
        return encoding
    return shape_text(_type_of(node), node.shape)


def _type_of(dataset: Any) -> object:
    return "U" if dataset.dtype.kind == "O" else dataset.dtype


def _read(content: Any, name: str) -> Any:
    import polars as pl

    node, short = content[name], name.rpartition("/")[2]
    encoding = _text(node.attrs.get("encoding-type", "array"))
    if encoding == "categorical":
        ordered = bool(node.attrs.get("ordered", False))
        return _levels(short, node["codes"][()], node["categories"], ordered)
    if "categories" in node.attrs:  # AnnData 0.7 keeps them in one place and refers to them
        categories = content[node.attrs["categories"]]
        ordered = bool(categories.attrs.get("ordered", False))
        return _levels(short, node[()], categories, ordered)
    if encoding in _SPARSE:
        return _dense(node, encoding)
    if encoding == "dataframe":
        columns = [_read(content, f"{name}/{key}") for key in _columns(node)]
        return pl.DataFrame(columns).to_numpy()
    if encoding.startswith("nullable-"):
        series = pl.Series(short, _values(node["values"]))
        mask = pl.Series(node["mask"][()])
        return series.to_frame().select(pl.when(~mask).then(pl.col(short)))[short]
    if not hasattr(node, "dtype"):
        raise ValueError(f"the entry {name!r} is of type {encoding}, which cannot be read here")
    array = _values(node)
    return pl.Series(short, array) if array.ndim == 1 else array


def _levels(name: str, codes: np.ndarray, categories: Any, ordered: bool) -> Any:
    """A column of levels, missing where its code is -1; words as an Enum if they have an order."""
    import polars as pl

    levels = _values(categories)
    known = pl.Series(codes.astype(np.int64)).to_frame("code")
    place = known.select(pl.when(pl.col("code") >= 0).then(pl.col("code"))).to_series()
    found = pl.Series(name, levels).gather(place)
    if levels.dtype.kind != "U":
        return found
    return found.cast(pl.Enum(levels.tolist()) if ordered else pl.Categorical)


def _dense(node: Any, encoding: str) -> np.ndarray:
    from scipy import sparse

    kind = sparse.csr_array if encoding == "csr_matrix" else sparse.csc_array
    parts = (node["data"][()], node["indices"][()], node["indptr"][()])
    return kind(parts, shape=tuple(node.attrs["shape"])).toarray()


def _values(dataset: Any) -> np.ndarray:
    if dataset.dtype.kind in "OS":
        return np.asarray(dataset.asstr()[()], dtype=str)
    return dataset[()]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
