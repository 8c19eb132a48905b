"""Factors that users hand in: their levels, names and kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from unweave._check import (
    check_factor_kinds,
    check_names,
    constant_columns,
    not_finite,
    read_codes,
    short,
)
from unweave._tables import (
    CodeTable,
    Column,
    Table,
    as_table,
    column_names,
    default_index,
    index_of,
    matching_columns,
    matching_rows,
    word,
)

__all__ = [
    "LEVELS_OF_CIRCLE",
    "MANY_LEVELS",
    "FactorTable",
    "ReadColumn",
    "check_codes_factors",
    "read_codes_factors",
    "read_column",
    "read_factors",
]

LEVELS_OF_CIRCLE = "levels of a circle"
MANY_LEVELS = 20  # in how few rows whatsoever, levels up to this many are levels
_BOOLEANS = ("False", "True")
_ALIGNED = "rows of factors and codes were matched by the labels of their indexes, not by position"


@dataclass(frozen=True)
class FactorTable:
    """Factors as all metrics read them, and what is known of each."""

    values: np.ndarray
    """Array (samples, factors), int64 if all are whole numbers, else float64."""
    kinds: tuple[str, ...]
    """Kind of each factor, declared or read from its column; ``ordinal`` where nothing says it."""
    names: tuple[str, ...] | None = None
    """As given, or of the data frame."""
    words: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """What the levels 0, 1, ... of a factor were called, by its position."""
    whole: tuple[bool, ...] = ()
    """Whether all values of a factor are whole numbers."""
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    """Names that a data frame gave."""
    grid: tuple[int, ...] | None = None
    """Sizes of the factors whose whole grid this is, row by row."""
    index: Any = None
    """Labels of the rows, of a data frame that has some."""

    @property
    def readings(self) -> tuple[str, ...]:
        """Kinds as formulas read them: circular whole numbers are levels, not angles."""
        return tuple(
            LEVELS_OF_CIRCLE if kind == "circular" and whole else kind
            for kind, whole in zip(self.kinds, self.whole, strict=True)
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each factor, its position where it has none."""
        return self.names or tuple(str(k) for k in range(self.values.shape[1]))

    def index_like(self, data: object) -> Any:
        """Labels of the rows to match with those of ``data``.

        Rows of a whole grid are 0, 1, 2, ... where ``data`` has labels.
        """
        if self.index is None and self.grid is not None:
            return default_index(data)
        return self.index

    def take(self, rows: np.ndarray) -> FactorTable:
        """The same factors of other rows."""
        index = None if self.index is None else self.index[rows]
        return replace(self, values=self.values[rows], index=index, grid=None)


def check_codes_factors(
    codes: object,
    factors: object,
    *,
    min_latents: int = 1,
    names: Sequence[str] | None = None,
    kinds: Sequence[str | None] | None = None,
) -> tuple[np.ndarray, FactorTable]:
    """Codes (samples, latents) and factors, as of :func:`read_codes_factors`."""
    found, table = read_codes_factors(
        codes, factors, min_latents=min_latents, names=names, kinds=kinds
    )
    return found.values, table


def read_codes_factors(
    codes: object,
    factors: object,
    *,
    min_latents: int = 1,
    names: Sequence[str] | None = None,
    kinds: Sequence[str | None] | None = None,
    like: tuple[CodeTable, FactorTable] | None = None,
) -> tuple[CodeTable, FactorTable]:
    """Codes and factors of the same rows, no factor constant.

    Where both are data frames with an index, factors are put in the order of the codes. With
    ``like``, both are read as further rows of those tables.

    Raises
    ------
    ValueError
        As :func:`read_codes` and :func:`read_factors`; also if the row counts or indexes differ or
        a factor takes one value only, so that no score of it is defined.
    """
    if like is None:
        found = read_codes(codes, min_latents=min_latents)
        table = read_factors(factors, names=names, kinds=kinds)
    else:
        found, table = read_codes(codes, like=like[0]), _read_like(factors, like[1])
    if len(found.values) != len(table.values):
        raise ValueError(
            f"codes have {len(found.values)} rows and factors {len(table.values)}: row i of both "
            "must belong to the same sample"
        )
    rows = matching_rows(found.index, table.index_like(found), "codes", "factors")
    if rows is not None:
        table = table.take(rows)
        table = replace(table, notes=(*table.notes, _ALIGNED))
    if found.index is not None:
        table = replace(table, index=found.index)
    constant = constant_columns(table.values)
    if constant.size:
        raise ValueError(
            f"factors {short(constant, table.names)} never vary: no score is defined; drop these "
            "columns (on the command line: --drop-constant)"
        )
    return found, table


def read_factors(
    factors: object,
    *,
    names: Sequence[str] | None = None,
    kinds: Sequence[str | None] | None = None,
) -> FactorTable:
    """Factors as finite numbers (samples, factors) with their names and kinds.

    Each column is read by itself. Words become levels: those of a categorical in its order, others
    sorted. The kind of a column that is not declared follows from its type: ``categorical`` for
    words and booleans, ``ordinal`` for a categorical that declares an order, and for numbers. Words
    that are declared to be of another kind are the numbers that they read as, if all of them do.
    In an array of strings, which NumPy makes of mixed columns, a column of which every row reads
    as a number is one of numbers. A factor space stands for its whole grid, all rows in order.

    Raises
    ------
    ValueError
        If they are not two-dimensional numbers or words, are empty, hold missing or infinite
        values, or names or kinds do not fit them.
    """
    if isinstance(factors, FactorTable):
        return factors
    if hasattr(factors, "levels") and hasattr(factors, "sizes"):
        return _of_space(factors, names, kinds)
    table = as_table(factors, "factors", "(samples, factors)")
    n = len(table.columns)
    chosen = table.names if names is None else names
    given = None if chosen is None else check_names("factor", chosen, n)
    declared = _declared(kinds, n)
    found = [
        read_column(column, kind, table.where(k))
        for k, (column, kind) in enumerate(zip(table.columns, declared, strict=True))
    ]
    values, whole = _joined([factor.values for factor in found], table)
    result = FactorTable(
        values,
        tuple(factor.kind for factor in found),
        given,
        {k: factor.words for k, factor in enumerate(found) if factor.words},
        whole,
        tuple(note for factor in found for note in factor.notes),
        None if table.names is None else tuple(map(word, table.names)),
        index=index_of(factors),
    )
    return replace(result, notes=(*result.notes, *_many_levels(result, declared)))


@dataclass(frozen=True)
class ReadColumn:
    """One column as a factor."""

    values: np.ndarray
    kind: str
    words: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def read_column(column: Column, declared: str | None, where: str) -> ReadColumn:
    """A column as a factor of the kind that is declared, or that its type says.

    Raises
    ------
    ValueError
        If it is declared continuous and holds words that do not read as numbers.
    """
    if column.words is None:
        if column.values.dtype.kind == "b":
            return ReadColumn(column.values.astype(np.int64), declared or "categorical", _BOOLEANS)
        if column.values.dtype.kind == "u" and int(column.values.max()) < 2**63:
            return ReadColumn(column.values.astype(np.int64), declared or "ordinal")
        return ReadColumn(column.values, declared or "ordinal")
    kind = declared or ("ordinal" if column.is_ordered else "categorical")
    if kind == "categorical" or column.is_ordered and kind != "continuous":
        return ReadColumn(column.values, kind, column.words)
    if column.numbers is not None:
        return ReadColumn(column.numbers, kind)
    if kind == "continuous":
        raise ValueError(
            f"{where} is declared continuous and holds words, as {column.words[0]!r}: give its "
            "numbers, or declare it ordinal or categorical"
        )
    shown = ", ".join(column.words[:10]) + (", ..." if len(column.words) > 10 else "")
    note = f"{where} is {kind}, and its words were taken in sorted order: {shown}"
    return ReadColumn(column.values, kind, column.words, (note,))


def _joined(columns: list[np.ndarray], table: Table) -> tuple[np.ndarray, tuple[bool, ...]]:
    """One array of all columns, and which of them are whole numbers.

    Raises
    ------
    ValueError
        If a value is missing or infinite, or a whole number is too large.
    """
    array = table.block if table.block is not None else np.column_stack(columns)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad, found = not_finite(array)
        raise ValueError(
            f"factors {short(bad, table.names)} hold nan or infinite values: {found}; drop these "
            "rows or fill them in, or drop these columns"
        )
    limit = {"f": 2**53, "u": 2**63}.get(array.dtype.kind)
    for k, column in enumerate(columns):
        if limit is None or column.dtype.kind not in "iu":
            continue
        if max(-int(column.min()), int(column.max())) >= limit:
            raise ValueError(
                f"{table.where(k)} holds {max(column.min(), column.max(), key=abs)}, more than a "
                "signed 64-bit whole number can, or beside fractions a 53-bit one: relabel the "
                "levels from 0 on"
            )
    if array.dtype.kind in "biu":
        return array.astype(np.int64), (True,) * len(columns)
    array = array.astype(np.float64)
    rows = np.ascontiguousarray(array.T)  # reductions of narrow tables are slow
    whole = (rows == np.round(rows)).all(axis=1) & (np.abs(rows).max(axis=1) < 2**53)
    return (array.astype(np.int64) if whole.all() else array), tuple(whole.tolist())


def _declared(kinds: Sequence[str | None] | None, n: int) -> tuple[str | None, ...]:
    """A kind for each factor, or None where it is left to its column."""
    if kinds is None:
        return (None,) * n
    if isinstance(kinds, Mapping):
        raise ValueError(
            "factor kinds are a mapping: give a sequence of one for each factor, None where it is "
            "not declared"
        )
    listed = [kinds] * n if isinstance(kinds, str) else list(kinds)
    checked = check_factor_kinds(["ordinal" if k is None else word(k) for k in listed], n)
    return tuple(None if kind is None else name for kind, name in zip(listed, checked, strict=True))


def _read_like(factors: object, like: FactorTable) -> FactorTable:
    """Further rows of a table: the same columns by name, the same level for the same word.

    Raises
    ------
    ValueError
        As :func:`read_factors`; or if columns differ, or hold numbers where the table has words.
    """
    order = matching_columns(like.columns, column_names(factors), "factors", "test factors")
    n = len(like.kinds)
    kinds = list(like.kinds) if order is None else [like.kinds[order.index(k)] for k in range(n)]
    n_test = len(as_table(factors, "factors", "(samples, factors)").columns)
    if n_test != n:
        raise ValueError(
            f"test factors have {n_test} column(s) and factors {n}: both must be of the same "
            "factors"
        )
    table = read_factors(factors, kinds=kinds)
    values = table.values if order is None else table.values[:, order]
    words = {k: table.words.get(k if order is None else order[k]) for k in range(n)}
    for k in range(n):
        known, met = like.words.get(k), words[k]
        if known == met or known == _BOOLEANS and met is None:
            continue
        if known is None or met is None:
            raise ValueError(
                f"factor {k} holds {'numbers' if known is None else 'words'} in factors and "
                f"{'words' if known is None else 'numbers'} in test factors: both must be alike"
            )
        positions = {each: i for i, each in enumerate(dict.fromkeys((*known, *met)))}
        level = np.array([positions[each] for each in met])
        values[:, k] = level[values[:, k].astype(int)]
    return replace(table, values=values, kinds=like.kinds, names=like.names, words=like.words)


def _of_space(space: Any, names, kinds) -> FactorTable:
    levels, n = space.all_levels(), len(space.sizes)
    declared = _declared(kinds, n)
    return FactorTable(
        levels,
        tuple(given or own for given, own in zip(declared, space.kinds, strict=True)),
        check_names("factor", space.names if names is None else names, n),
        whole=(True,) * n,
        grid=tuple(space.sizes),
    )


def _many_levels(table: FactorTable, declared: Sequence[str | None]) -> list[str]:
    """Notes on undeclared factors with nearly as many levels as rows.

    Raises
    ------
    ValueError
        If these are words: classes of a row each say nothing, and are expensive to say it with.
    """
    n, notes = len(table.values), []
    limit = max(MANY_LEVELS, n // 2)
    for k in range(len(declared)):
        if declared[k] is not None or not table.whole[k]:
            continue
        column = np.ascontiguousarray(table.values[:, k])
        if int(column.max()) - int(column.min()) < limit:
            continue
        n_levels = len(np.unique(column))
        if n_levels <= limit:
            continue
        where = f"factor {k}" + ("" if table.names is None else f" ({table.names[k]})")
        if k in table.words:
            raise ValueError(
                f"{where} takes {n_levels} different words in {n} rows and looks like an "
                "identifier: drop it, or declare its kind if it is a factor"
            )
        notes.append(
            f"{where} takes {n_levels} whole numbers in {n} rows and looks continuous or like an "
            "identifier: declare its kind 'continuous' to have it binned, or drop it"
        )
    return notes
