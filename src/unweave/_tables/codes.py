"""Codes as all metrics read them, and what their types were."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unweave._tables.table import Table

__all__ = ["CodeTable", "floats_of"]

_EXACT = 2**53  # up to which double precision holds every whole number


@dataclass(frozen=True)
class CodeTable:
    """Finite codes, and what is known of each latent."""

    values: np.ndarray
    """Array (samples, latents), float32 or float64, less the ``origins``."""
    precisions: tuple[str, ...]
    """Type of each latent before it was read; of whole numbers, none of a floating-point type."""
    origins: tuple[int, ...]
    """What was taken away from each latent: 0, but of whole numbers beyond double precision."""
    columns: tuple[str, ...] | None = None
    """Names that a data frame gave."""
    index: Any = None
    """Labels of the rows, of a data frame that has some."""

    def take(self, rows: np.ndarray) -> CodeTable:
        """The same latents of other rows."""
        index = None if self.index is None else self.index[rows]
        return replace(self, values=self.values[rows], index=index)


def floats_of(
    table: Table, shape: str, like: CodeTable | None = None
) -> tuple[np.ndarray, tuple[int, ...]]:
    """All columns as one array of float32 or float64, and the whole number each now starts from.

    Whole numbers that double precision cannot hold lose their smallest value first, or the origins
    of ``like``, so that their differences stay exact.

    Raises
    ------
    ValueError
        If a column holds words, or different whole numbers that double precision takes for one.
    """
    columns = table.numbers(shape)
    if like is None:
        origins = tuple(map(_origin, columns))
    else:
        origins = like.origins if len(like.origins) == len(columns) else (0,) * len(columns)
    dtype = np.result_type(*(column.dtype for column in columns))
    if dtype not in (np.float32, np.float64):
        dtype = np.dtype(np.float32 if dtype == np.float16 else np.float64)
    if table.block is not None and not any(origins):
        array = table.block.astype(dtype, copy=False)
    else:
        pairs = zip(columns, origins, strict=True)
        array = np.column_stack([_less(column, origin, dtype) for column, origin in pairs])
    for k, column in enumerate(columns):
        _check_distinct(column, array[:, k], table.where(k))
    return array, origins


def _check_distinct(column: np.ndarray, read: np.ndarray, where: str) -> None:
    if not _is_long(column) or int(column.max()) - int(column.min()) <= _EXACT:
        return
    n, n_read = len(np.unique(column)), len(np.unique(read))
    if n_read < n:
        raise ValueError(
            f"{where} holds {n:,} different whole numbers, from {column.min()} to {column.max()}, "
            f"and double precision distinguishes {n_read:,} of them: rescale them, or give their "
            "ranks"
        )


def _origin(column: np.ndarray) -> int:
    if not _is_long(column):
        return 0
    low, high = int(column.min()), int(column.max())
    return low if max(-low, high) > _EXACT else 0


def _is_long(column: np.ndarray) -> bool:
    return column.dtype.kind in "iu" and column.dtype.itemsize >= 8


def _less(column: np.ndarray, origin: int, dtype: np.dtype) -> np.ndarray:
    if not origin:
        return column.astype(dtype)
    # Whole numbers of Python are exact, whatever the signs and types of both.
    return (column.astype(object) - origin).astype(dtype)
