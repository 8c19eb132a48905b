"""What kind of factor a column of a user's table is: the rule, and its levels or values."""

from __future__ import annotations

import numpy as np

from unweave._factors import MANY_LEVELS, read_column
from unweave._tables import Column
from unweave.datasets.factors import Factor

__all__ = ["LeftOut", "factor_of"]

_MOST_ORDINAL = 1000  # whole numbers that are levels, in however many rows
_ROWS_PER_LEVEL = 20
_LARGEST_CIRCLE = 65_536


class LeftOut(Exception):
    """A column that cannot be scored, and why."""


def factor_of(
    column: Column, name: str, declared: str | None, notes: list[str]
) -> tuple[Factor, np.ndarray]:
    """The factor of a column, and its levels or values (rows,) float64.

    Raises
    ------
    LeftOut
        If it cannot be scored.
    ValueError
        If it holds infinite values, or what its declared kind excludes.
    """
    read = read_column(column, declared, f"factor {name!r}")
    values = np.asarray(read.values)
    present = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    if not len(present):
        raise LeftOut("no row has a value")
    if not np.isfinite(present).all():
        raise ValueError(f"factor {name!r} holds infinite values: fill them in, or leave it out")
    distinct = np.unique(present)
    if len(distinct) == 1:
        only = read.words[int(distinct[0])] if read.words else f"{distinct[0]:g}"
        raise LeftOut(f"it takes one value only, {only}")
    notes.extend(read.notes)
    if read.words is not None:
        return _of_words(read.words, read.kind, distinct, values, len(present), name, declared)
    return _of_numbers(distinct, values, len(present), name, declared, notes)


def _of_words(
    words: tuple[str, ...],
    kind: str,
    distinct: np.ndarray,
    values: np.ndarray,
    n_present: int,
    name: str,
    declared: str | None,
) -> tuple[Factor, np.ndarray]:
    if declared is None and len(distinct) > max(MANY_LEVELS, n_present // 2):
        raise LeftOut(
            f"its {len(distinct):,} words in {n_present:,} rows look like identifiers: declare it "
            "categorical if it is a factor"
        )
    positions = np.arange(len(words))
    meant = 2 * np.pi * positions / len(words) if kind == "circular" else positions
    return Factor(name, tuple(meant), kind, words), values.astype(np.float64)


def _of_numbers(
    distinct: np.ndarray,
    values: np.ndarray,
    n_present: int,
    name: str,
    declared: str | None,
    notes: list[str],
) -> tuple[Factor, np.ndarray]:
    are_whole = bool((distinct == np.round(distinct)).all())
    kind = declared or _kind(distinct, n_present, are_whole, name, notes)
    if kind == "circular":
        return _circular(distinct, values, are_whole, name)
    if kind == "continuous":
        return Factor(name, kind="continuous"), values.astype(np.float64)
    labels = tuple(f"{value:.12g}" for value in distinct) if kind == "categorical" else ()
    return Factor(name, tuple(distinct), kind, labels), _positions(values, distinct)


def _kind(
    distinct: np.ndarray, n_present: int, are_whole: bool, name: str, notes: list[str]
) -> str:
    """The kind of a column of numbers."""
    n_distinct = len(distinct)
    if not are_whole:
        few = n_distinct <= MANY_LEVELS and n_present >= _ROWS_PER_LEVEL * n_distinct
        return "ordinal" if few else "continuous"
    if n_distinct <= max(MANY_LEVELS, min(_MOST_ORDINAL, n_present // _ROWS_PER_LEVEL)):
        return "ordinal"
    if n_distinct == n_present and float(distinct[-1]) - float(distinct[0]) == n_present - 1:
        raise LeftOut(
            f"its numbers run from {distinct[0]:g} to {distinct[-1]:g} and number the rows: "
            "declare it continuous if it is a factor"
        )
    notes.append(
        f"factor {name!r} takes {n_distinct:,} whole numbers in {n_present:,} rows and is read as "
        "continuous: declare it ordinal to keep its levels"
    )
    return "continuous"


def _circular(
    distinct: np.ndarray, values: np.ndarray, are_whole: bool, name: str
) -> tuple[Factor, np.ndarray]:
    """Angles in radians; or whole numbers as levels, those also that are between them."""
    low, high = float(distinct[0]), float(distinct[-1])
    if not are_whole:
        if high - low > 4 * np.pi:
            raise ValueError(
                f"factor {name!r} is circular and runs from {low:g} to {high:g}: give angles in "
                "radians, or whole numbers from 0 on that go around once"
            )
        return Factor(name, kind="circular"), values.astype(np.float64)
    step = float(np.gcd.reduce(np.diff(distinct).astype(np.int64)))
    size = int((high - low) / step) + 1
    if size > _LARGEST_CIRCLE:
        raise ValueError(
            f"factor {name!r} is circular and has {size:,} levels, once around: give angles in "
            "radians instead"
        )
    angles = 2 * np.pi * np.arange(size) / size
    return Factor(name, tuple(angles), "circular"), (values.astype(np.float64) - low) / step


def _positions(values: np.ndarray, distinct: np.ndarray) -> np.ndarray:
    """The level of each value, nan where there is none."""
    levels = np.searchsorted(distinct, values).astype(np.float64)
    if values.dtype.kind == "f":
        levels[np.isnan(values)] = np.nan
    return levels
