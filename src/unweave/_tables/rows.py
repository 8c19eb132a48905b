"""Rows and columns of two data frames that belong together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unweave._tables.codes import CodeTable
from unweave._tables.columns import word
from unweave._tables.table import is_pandas_like

__all__ = [
    "column_names",
    "default_index",
    "index_of",
    "matching_columns",
    "matching_rows",
]

_BY_POSITION = (
    ", if row i of both belongs to the same sample, match them by position: call "
    "reset_index(drop=True) on both, or pass arrays"
)


def index_of(data: Any) -> Any:
    """The index of a data frame or series, as pandas has them; None for what has none."""
    has_one = isinstance(data, CodeTable) or is_pandas_like(data) or _is_pandas_like_series(data)
    return data.index if has_one else None


def default_index(data: Any) -> Any:
    """The labels 0, 1, 2, ... for as many rows as ``data`` has; None if it has no index."""
    index = index_of(data)
    return None if index is None else index.to_series().reset_index(drop=True).index


def matching_rows(first: Any, second: Any, whose: str, of_what: str) -> np.ndarray | None:
    """Positions in ``second`` of the labels of ``first``; None where rows match by position.

    They do if one has no index, or if both are equal. A default index 0, 1, 2, ... holds labels as
    any other: rows that were selected or sorted before would be mixed up otherwise.

    Raises
    ------
    ValueError
        If labels of as many rows differ, or occur more than once in different orders.
    """
    if first is None or second is None or len(first) != len(second) or first.equals(second):
        return None
    are_unique = first.is_unique and second.is_unique
    if are_unique:
        positions = np.asarray(second.get_indexer(first))
        if (positions >= 0).all():
            return positions
    if not are_unique:
        raise ValueError(
            f"the indexes of {whose} and {of_what} differ and hold labels more than once: make "
            f"labels unique, or{_BY_POSITION}"
        )
    raise ValueError(
        f"the indexes of {whose} and {of_what} differ in {int((positions < 0).sum())} of "
        f"{len(first)} labels: select the same rows of both by their labels, or{_BY_POSITION}"
    )


def column_names(data: Any) -> tuple[str, ...] | None:
    """Names of the columns of a data frame; None for what has none."""
    names = getattr(data, "column_names", getattr(data, "columns", None))
    if names is None or callable(names) or isinstance(data, np.ndarray):
        return None
    return tuple(map(word, names))


def matching_columns(
    first: Sequence[str] | None, second: Sequence[str] | None, whose: str, of_what: str
) -> list[int] | None:
    """Positions in ``second`` of the names of ``first``; None where columns match by position.

    They do unless both have the same names in different orders.

    Raises
    ------
    ValueError
        If both share some names, but not all.
    """
    if first is None or second is None or tuple(first) == tuple(second):
        return None
    if not set(first) & set(second):
        return None
    if sorted(first) != sorted(second) or len(set(first)) < len(first):
        raise ValueError(
            f"the columns of {whose} and {of_what} differ: {', '.join(first[:10])} and "
            f"{', '.join(second[:10])}; select the same columns of both"
        )
    return [list(second).index(name) for name in first]


def _is_pandas_like_series(data: Any) -> bool:
    if not hasattr(data, "iloc"):
        return False
    from narwhals.stable.v2.dependencies import is_pandas_like_series

    return is_pandas_like_series(data)
