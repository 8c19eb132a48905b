"""Rows and columns of two data frames that belong together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unweave._tables.columns import word

__all__ = ["column_names", "index_of", "is_pandas_like", "matching_columns", "matching_rows"]


def index_of(data: Any) -> Any:
    """The index of a data frame, as pandas has them; None for what has none."""
    return data.index if is_pandas_like(data) else None


def is_pandas_like(data: Any) -> bool:
    """Whether it is a data frame of pandas, or of a library that does as pandas does."""
    if not hasattr(data, "iloc"):  # most have not, and need no import
        return False
    from narwhals.stable.v2.dependencies import is_pandas_like_dataframe

    return is_pandas_like_dataframe(data)


def matching_rows(first: Any, second: Any, whose: str, of_what: str) -> np.ndarray | None:
    """Positions in ``second`` of the labels of ``first``; None where rows match by position.

    They do if one has no index, if both are equal, or if they differ and one of them is the default
    index 0, 1, 2, ..., which names nothing.

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
    if _is_default(first) or _is_default(second):
        return None
    if not are_unique:
        raise ValueError(
            f"the indexes of {whose} and {of_what} are in different orders and hold labels more "
            "than once: make labels unique, or drop the indexes by reset_index(drop=True) if rows "
            "belong together by position"
        )
    raise ValueError(
        f"the indexes of {whose} and {of_what} differ in {int((positions < 0).sum())} of "
        f"{len(first)} labels: select the same rows of both by their labels, or drop the indexes "
        "by reset_index(drop=True) if rows belong together by position"
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


def _is_default(index: Any) -> bool:
    return type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1
