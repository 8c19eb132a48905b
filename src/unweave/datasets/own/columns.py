"""The factors in a table of a user: words, numbers and booleans, with gaps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unweave._check import check_choice, check_factor_kinds, check_names
from unweave._tables import Column, as_array, as_table
from unweave.datasets.dataset import ImageDataset
from unweave.datasets.factors import Factor
from unweave.datasets.own.column_kinds import LeftOut, factor_of
from unweave.datasets.table import ImageTable

__all__ = ["FactorColumns", "Kinds", "Names", "read_columns", "split_names", "with_factors"]

Names = str | Sequence[str]
"""Names, or one text with commas between them."""

Kinds = Mapping[str, str] | Sequence[str | None] | str | None

_SHAPE = "(samples, factors)"


@dataclass(frozen=True)
class FactorColumns:
    """Factors as datasets have them, and what was left out of the table."""

    factor_columns: tuple[Factor, ...]
    """What each column of the values is."""
    values: np.ndarray
    """Array (rows, factors) float64: levels of factors that have some, else values; nan in gaps."""
    left_out: dict[str, str]
    """Why a column is not a factor, by its name."""
    notes: tuple[str, ...] = ()


def read_columns(
    factors: Any,
    *,
    names: Sequence[str] | None = None,
    kinds: Kinds = None,
    required: Collection[str] = (),
) -> FactorColumns:
    """Each column of a table as a factor.

    The kind of a column that is not declared follows from what it holds:

    ==========================================================  ===========
    words, booleans                                             categorical
    a categorical that declares an order                        ordinal
    whole numbers, at most max(20, min(1000, rows / 20)) of them  ordinal
    fractions, at most 20 of them and 20 times as many rows     ordinal
    other numbers                                               continuous
    ==========================================================  ===========

    Circular factors must be declared: angles in radians, or whole numbers, which are equidistant
    levels once around the circle. Columns that never vary, hold nothing, number the rows, or hold
    nearly as many words as rows are left out, except where they are declared or required.

    Parameters
    ----------
    factors
        Table (rows, columns) of anything that ``unweave score`` reads, or a mapping of a column
        (rows,) to each name. A single column (rows,) counts as a table of one.
    names
        Names of the columns; by default those of the table, or ``factor_0`` and so on.
    kinds
        A kind to each name, or one for each column, None where it is not declared.
    required
        Names of columns that must not be left out.

    Raises
    ------
    ValueError
        If the table cannot be read, holds infinite values, or has no column that varies; if names
        or kinds do not fit; if a declared or required column cannot be a factor.
    """
    found, columns, left_out = _columns(factors)
    own = names if names is not None else found
    chosen = check_names("factor", own, len(columns))
    declared = _declared(kinds, chosen, left_out)
    for name in required:
        check_choice("factor", name, [*chosen, *left_out])
    kept: list[tuple[Factor, np.ndarray]] = []
    notes: list[str] = []
    for name, column in zip(chosen, columns, strict=True):
        try:
            kept.append(factor_of(column, name, declared.get(name), notes))
        except LeftOut as reason:
            left_out[name] = str(reason)
    for name in left_out:
        if name in declared or name in required:
            raise ValueError(f"factor {name!r} cannot be scored: {left_out[name]}")
    if not kept:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:10])
        raise ValueError(
            f"the table has no column that can be a factor ({reasons}): give factors that vary, or "
            "images alone"
        )
    values = np.column_stack([values for _, values in kept])
    return FactorColumns(tuple(factor for factor, _ in kept), values, left_out, tuple(notes))


def with_factors(
    images: ImageDataset, columns: FactorColumns, *, nuisances: Names = ()
) -> ImageTable:
    """Images with the factors that were read for them, and notes on what was left out.

    Raises
    ------
    ValueError
        If there is not one row for each image, or nuisances are not factors.
    """
    if len(columns.values) != len(images):
        raise ValueError(
            f"{images.name} has {len(images):,} images, and its table of factors "
            f"{len(columns.values):,} rows: give one row for each image, in the same order"
        )
    dataset = ImageTable(
        images, columns.factor_columns, columns.values, nuisances=split_names(nuisances)
    )
    left_out = [f"{name!r} is not a factor: {why}" for name, why in columns.left_out.items()]
    dataset.notes = (*images.notes, *columns.notes, *left_out)
    return dataset


def split_names(names: Names) -> tuple[str, ...]:
    """Names one by one; a text is split at its commas."""
    parts = names.split(",") if isinstance(names, str) else names
    return tuple(name for part in parts if (name := str(part).strip()))


def _columns(factors: Any) -> tuple[list[str], list[Column], dict[str, str]]:
    """Names and columns of a table, and why columns of a mapping cannot be read."""
    if not isinstance(factors, Mapping):
        array = factors.to_frame() if hasattr(factors, "to_frame") else factors
        if not hasattr(array, "columns") and _is_one_column(array):
            array = as_array(array, "factors")[:, None]
        table = as_table(array, "factors", _SHAPE)
        n = len(table.columns)
        own = table.names or ([f"factor_{k}" for k in range(n)] if n > 1 else ["label"])
        return [str(name) for name in own], list(table.columns), {}
    names, columns, left_out = [], [], {}
    for name, values in factors.items():
        try:
            columns.append(as_table(_single(values), "factors", _SHAPE).columns[0])
            names.append(str(name))
        except ValueError as error:
            left_out[str(name)] = str(error).replace("factor 0", "it", 1)
    lengths = {name: len(column.values) for name, column in zip(names, columns, strict=True)}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {n:,}" for name, n in list(lengths.items())[:10])
        raise ValueError(f"columns must have equally many values, not {listed}")
    return names, columns, left_out


def _single(values: Any) -> Any:
    """A column as a table of one."""
    if hasattr(values, "to_frame"):
        return values.to_frame()
    array = as_array(values, "factors")
    if array.ndim != 1:
        raise ValueError(f"it has the shape {array.shape}, not that of a column (rows,)")
    return array[:, None]


def _is_one_column(data: Any) -> bool:
    if isinstance(data, list | tuple):
        return len(data) > 0 and (isinstance(data[0], str) or np.ndim(data[0]) == 0)
    return len(getattr(data, "shape", ())) == 1


def _declared(kinds: Kinds, names: Sequence[str], left_out: Mapping[str, str]) -> Mapping[str, str]:
    """The declared kinds by name."""
    if kinds is None:
        return {}
    if isinstance(kinds, Mapping):
        for name in kinds:
            check_choice("factor", name, [*names, *left_out])
        check_factor_kinds(list(kinds.values()), len(kinds))
        return kinds
    listed = [kinds] * len(names) if isinstance(kinds, str) else list(kinds)
    check_factor_kinds(["ordinal" if kind is None else kind for kind in listed], len(names))
    return {name: kind for name, kind in zip(names, listed, strict=True) if kind is not None}
