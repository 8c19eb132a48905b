"""Tables of any library, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from unweave._tables.arrays import as_array, precision
from unweave._tables.columns import Column, array_column, category_column, dates

__all__ = ["Table", "is_pandas_like", "as_table"]

_ONE_OF = {"codes": "latent", "factors": "factor"}


@dataclass(frozen=True)
class Table:
    """Columns of the same rows, at least one of each."""

    what: str
    names: tuple[object, ...] | None
    """Names of the columns, as a data frame has them."""
    block: np.ndarray | None
    """Array (rows, columns) of numbers; None where the columns are of several types."""
    parts: tuple[Column, ...] = ()
    precision: str = ""
    """Type of the numbers of the block before they were read."""

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Each column."""
        if self.block is None:
            return self.parts
        return tuple(Column(values) for values in self.block.T)

    @property
    def precisions(self) -> tuple[str, ...]:
        """Type of the numbers of each column before they were read."""
        if self.block is not None:
            return (self.precision,) * self.block.shape[1]
        return tuple(column.values.dtype.name for column in self.parts)

    def where(self, k: int) -> str:
        """How sentences call column ``k``."""
        return _where(self.what, k, self.names)

    def numbers(self, shape: str) -> list[np.ndarray]:
        """Each column (rows,) as numbers, of its own type.

        Raises
        ------
        ValueError
            If one of them holds words.
        """
        if self.block is not None:
            return list(self.block.T)
        columns = []
        for k, column in enumerate(self.parts):
            of_words = column.words is not None and not column.of_numbers
            values = None if of_words else column.numbers
            if values is None:
                example = f", as {column.words[0]!r}" if column.words else ""
                raise ValueError(
                    f"{self.what} must be an array of numbers {shape}, but {self.where(k)} holds "
                    f"words{example}: turn them into numbers"
                )
            columns.append(values)
        return columns


def as_table(data: Any, what: str, shape: str) -> Table:
    """An array, tensor or data frame as a table; missing values become nan.

    Parameters
    ----------
    data
        Anything that NumPy or narwhals can read: arrays (also masked), tensors of torch, sparse
        matrices of scipy, nested lists, frames of pandas, polars, pyarrow and others. A table that
        was read before stays as it is.
    what, shape
        How sentences call it, ``codes`` or ``factors``, and what it must be.

    Raises
    ------
    ValueError
        If it is not two-dimensional, is empty, or holds other than numbers and words.
    """
    if isinstance(data, Table):
        return data
    found = _frame(data, what)
    if found is not None:
        names, frame = found
        _check_shape(frame.shape, what, shape)
        parts = tuple(
            _series_column(each, _where(what, k, names))
            for k, each in enumerate(frame.iter_columns())
        )
        return Table(what, names, None, parts)
    array = as_array(data, what)
    if array.ndim != 2:
        raise _not_two_dimensional(data, array, what, shape)
    _check_shape(array.shape, what, shape)
    own = _own_names(data, array.shape[1])
    if array.dtype.kind == "V" and array.dtype.names is None:
        array = _extended(array)
    if isinstance(array, np.ma.MaskedArray):
        array = _unmasked(array)
    if array.dtype.kind in "biuf":
        return Table(what, own, array, precision=precision(data, array))
    if array.dtype.kind in "SUT" and what != "factors":
        raise ValueError(
            f"{what} must be an array of numbers {shape}, but their type is {array.dtype}: turn "
            "them into numbers, by x.astype(float) if they read as such"
        )
    parts = tuple(array_column(array[:, k], _where(what, k, own)) for k in range(array.shape[1]))
    return Table(what, own, None, parts)


def is_pandas_like(data: Any) -> bool:
    """Whether it is a data frame of pandas, or of a library that does as pandas does."""
    if not hasattr(data, "iloc"):  # most have not, and need no import
        return False
    from narwhals.stable.v2.dependencies import is_pandas_like_dataframe

    return is_pandas_like_dataframe(data)


def _frame(data: Any, what: str) -> tuple[tuple[object, ...], Any] | None:
    """Names of the columns, and the frame of narwhals, if it knows such frames; else None."""
    if isinstance(data, np.ndarray | list | tuple) or hasattr(data, "detach"):
        return None
    import narwhals.stable.v2 as nw

    if hasattr(data, "collect_schema") and hasattr(data, "collect"):
        raise ValueError(f"{what} are a lazy {type(data).__name__}: pass what its collect() gives")
    names: Sequence[object] | None = None
    # Positions in place of names, which may occur twice: who needs names checks them.
    if is_pandas_like(data):
        names = list(data.columns)
        data = data.set_axis([str(k) for k in range(len(names))], axis=1)
    elif hasattr(data, "rename_columns") and hasattr(data, "column_names"):
        names = list(data.column_names)
        data = data.rename_columns([str(k) for k in range(len(names))])
    frame = nw.from_native(data, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        if not hasattr(data, "__arrow_c_stream__") or _is_series(data):
            return None
        frame = nw.from_arrow(data, backend="polars")
    return tuple(names if names is not None else frame.columns), frame


def _series_column(series: Any, where: str) -> Column:
    import narwhals.stable.v2 as nw

    dtype, native = series.dtype, series.to_native()
    if isinstance(dtype, nw.Categorical | nw.Enum):
        is_ordered = _is_ordered(native)
        if is_ordered or isinstance(dtype, nw.Enum) or hasattr(native, "iloc"):
            categories = series.cat.get_categories().to_list()
            return category_column(series.to_list(), categories, where, is_ordered=is_ordered)
        # Without an order of their own, categories come as they were met: sorted is better.
        return array_column(np.array(series.to_list(), dtype=object), where)
    if dtype.is_temporal():
        raise dates(where)
    if dtype.is_nested():
        raise ValueError(
            f"{where} holds values of type {dtype}: every value must be one real number, or one "
            "word in a factor; give each part a column of its own"
        )
    values = series.to_numpy()
    if dtype.is_numeric() and values.dtype.kind in "iuf":
        missing = series.is_null().to_numpy()
        return Column(np.where(missing, np.nan, values) if missing.any() else values)
    return array_column(values, where)


def _is_ordered(native: Any) -> bool:
    """Whether a categorical of pandas or pyarrow declares that its categories have an order."""
    dtype = getattr(native, "dtype", None) or getattr(native, "type", None)
    return bool(getattr(dtype, "ordered", False))


def _own_names(data: Any, n_columns: int) -> tuple[object, ...] | None:
    """Names of the columns of a frame that only NumPy can read."""
    names = getattr(data, "columns", None)
    if isinstance(data, np.ndarray) or names is None or callable(names):
        return None
    names = tuple(names)
    return names if len(names) == n_columns else None


def _where(what: str, k: int, names: Sequence[object] | None) -> str:
    named = "" if names is None or str(names[k]) == str(k) else f" ({names[k]})"
    return f"{_ONE_OF[what]} {k}{named}"


def _is_series(data: Any) -> bool:
    return hasattr(data, "to_frame") or len(getattr(data, "shape", (0, 0))) == 1


def _unmasked(array: np.ma.MaskedArray) -> np.ndarray:
    """The values, missing where they are masked."""
    mask = np.ma.getmaskarray(array)
    if array.dtype.names is not None or not mask.any():
        return array.data
    if array.dtype.kind in "biuf":
        return np.where(mask, np.nan, array.data.astype(np.float64))
    found = array.data.astype(object)
    found[mask] = None
    return found


def _extended(array: np.ndarray) -> np.ndarray:
    """Numbers of a type that is registered with NumPy, such as bfloat16, as float32."""
    try:
        return array.astype(np.float32)
    except (TypeError, ValueError):
        return array


def _not_two_dimensional(data: Any, array: np.ndarray, what: str, shape: str) -> ValueError:
    if array.dtype.names is not None:
        return ValueError(
            f"{what} are a structured array with the fields {', '.join(array.dtype.names)}: pass a "
            "data frame, or numpy.lib.recfunctions.structured_to_unstructured of it"
        )
    if array.ndim == 0:
        return ValueError(
            f"{what} must be an array of numbers {shape}, not of type {type(data).__name__}"
        )
    fix = ""
    if array.ndim == 1:
        fix = ": one column is x[:, None], of a series x.to_frame()"
    return ValueError(
        f"{what} must be two-dimensional, {shape}, but their shape is {array.shape}{fix}"
    )


def _check_shape(size: tuple[int, ...], what: str, shape: str) -> None:
    if 0 in size:
        raise ValueError(f"{what} are empty: their shape is {size}, {shape} was needed")
