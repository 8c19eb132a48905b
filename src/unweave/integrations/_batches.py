"""Batches of a table as tensors, and what they have to have in common."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from unweave._tables import (
    Column,
    Table,
    column_names,
    level_column,
    matching_columns,
    read_table,
)

__all__ = ["Layout", "batch_of", "layouts_of", "table_of"]

_EXACT = 2**53


@dataclass(frozen=True)
class Layout:
    """What a tensor (rows, columns) does not say of the table that it was."""

    columns: tuple[str, ...] | None
    """Names of a data frame."""
    kinds: tuple[str, ...]
    """``numbers``, ``booleans`` or ``words``, of each column."""
    words: tuple[tuple[str, ...] | None, ...]
    """What the numbers 0, 1, ... of a column stand for; None for numbers."""
    ordered: tuple[bool, ...]
    """Whether the words come in an order that was declared."""
    of_numbers: tuple[bool, ...]
    """Whether the words are numbers."""
    types: tuple[str, ...] | None = None
    """NumPy's type of each column; None where all have that of the tensor."""

    def to_bytes(self) -> bytes:
        """One line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    def order_of(self, later: Layout, what: str) -> list[int] | None:
        """Positions of these columns in a ``later`` batch; None where they match by position.

        Raises
        ------
        ValueError
            If the batch has other columns.
        """
        n, n_later = len(self.kinds), len(later.kinds)
        if n != n_later:
            raise ValueError(
                f"{what} of this batch have {n_later} columns and earlier {what} {n}: every batch "
                "must have the same; call reset() to start anew"
            )
        return matching_columns(
            self.columns, later.columns, f"earlier {what}", f"{what} of this batch"
        )

    def take(self, order: Sequence[int] | None) -> Layout:
        """The same with its columns in another order."""
        if order is None:
            return self

        def taken(values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
            return None if values is None else tuple(values[k] for k in order)

        return Layout(*(taken(getattr(self, name)) for name in self.__dataclass_fields__))

    def check_same(self, later: Layout, what: str) -> None:
        """Refuse a ``later`` batch of which a column has other words, or is of another kind.

        Raises
        ------
        ValueError
            If so.
        """
        for k in range(len(self.kinds)):
            where = f"{what} {k}" if self.columns is None else f"{what} {k} ({self.columns[k]})"
            if self.kinds[k] != later.kinds[k]:
                raise ValueError(
                    f"{where} holds {later.kinds[k]} in one batch and {self.kinds[k]} in another: "
                    "give all batches the same type"
                )
            ours, theirs = (
                (each.words[k], each.ordered[k], each.of_numbers[k]) for each in (self, later)
            )
            if ours != theirs:
                raise ValueError(
                    f"{where} has the words {_shown(theirs[0])} in one batch and "
                    f"{_shown(ours[0])} in another: which level a word is, is known only where all "
                    "batches have the same words; make it a categorical with the same categories "
                    "in every batch, or numbers"
                )


def batch_of(data: object, what: str) -> tuple[torch.Tensor, Layout]:
    """A batch as a tensor (rows, columns) of numbers, and what else it is.

    Raises
    ------
    ValueError
        If it is not two-dimensional, or a tensor cannot hold it.
    """
    if isinstance(data, torch.Tensor) and data.layout == torch.strided:
        if data.ndim != 2:
            raise ValueError(
                f"{what} of a batch must be two-dimensional, not of shape {tuple(data.shape)}"
            )
        kind = "booleans" if data.dtype == torch.bool else "numbers"
        return data.detach(), _plain(None, kind, data.shape[1])
    table = read_table(data, what, "(samples, columns)")
    names = column_names(data)
    columns: Sequence[Column] = table.columns
    if what == "codes":
        columns = [Column(values) for values in table.numbers("(samples, columns)")]
    columns = [_for_torch(column, table.where(k)) for k, column in enumerate(columns)]
    kinds = tuple(map(_kind_of, columns))
    types = tuple(column.values.dtype.name for column in columns)
    values = np.column_stack([_positions(column) for column in columns])
    if values.dtype.kind == "f":
        _check_exact(columns, table)
    tensor = torch.tensor(values)
    if len(set(types)) == 1 and "words" not in kinds:
        half = {"float16": torch.float16, "bfloat16": torch.bfloat16}.get(table.precision)
        return tensor if half is None else tensor.to(half), _plain(names, kinds[0], len(kinds))
    return tensor, Layout(
        names,
        kinds,
        tuple(column.words if column.declared is None else column.declared for column in columns),
        tuple(column.is_ordered for column in columns),
        tuple(column.of_numbers for column in columns),
        types,
    )


def layouts_of(encoded: torch.Tensor) -> list[Layout]:
    """The layouts in bytes (n,), line by line."""
    lines = bytes(encoded.tolist()).splitlines()
    found = []
    for line in dict.fromkeys(lines):
        parts = json.loads(line)
        parts["words"] = [None if words is None else tuple(words) for words in parts["words"]]
        found.append(Layout(**{name: None if x is None else tuple(x) for name, x in parts.items()}))
    return found


def table_of(tensor: torch.Tensor, layouts: Sequence[Layout], what: str) -> Any:
    """All batches as one table: the tensor itself where it says all.

    Raises
    ------
    ValueError
        If the ``layouts`` of the batches, of several processes maybe, differ.
    """
    first = layouts[0]
    for other in layouts[1:]:
        if len(other.kinds) != len(first.kinds) or other.columns != first.columns:
            raise ValueError(
                f"{what} have other columns in one process than in another: give all of them the "
                "same columns in the same order"
            )
        first.check_same(other, what.removesuffix("s"))
    if first.types is None and set(first.kinds) <= {"numbers"}:
        return tensor
    alike = all(other.types == first.types for other in layouts)
    columns = []
    for k, values in enumerate(tensor.cpu().numpy().T):
        words = first.words[k]
        if words is not None:
            levels = np.where(np.isnan(values), -1, values).astype(np.int64)
            options = {"is_ordered": first.ordered[k], "of_numbers": first.of_numbers[k]}
            columns.append(level_column(levels, words, **options))
        elif first.kinds[k] == "booleans":
            columns.append(Column(values.astype(bool)))
        else:
            own = first.types[k] if alike and first.types is not None else values.dtype
            columns.append(Column(values.astype(own)))
    return Table(what, first.columns, None, tuple(columns))


def _plain(names: tuple[str, ...] | None, kind: str, n: int) -> Layout:
    return Layout(names, (kind,) * n, (None,) * n, (False,) * n, (False,) * n)


def _kind_of(column: Column) -> str:
    if column.words is not None:
        return "words"
    return "booleans" if column.values.dtype.kind == "b" else "numbers"


def _for_torch(column: Column, where: str) -> Column:
    """The column in a type that tensors have."""
    values = column.values
    if values.dtype.kind == "f" and values.dtype.itemsize > 8:
        return replace(column, values=values.astype(np.float64))
    if values.dtype.kind != "u":
        return column
    if int(values.max()) >= 2**63:
        raise ValueError(
            f"{where} holds {values.max()}, more than a signed 64-bit whole number can: subtract "
            "an offset"
        )
    return replace(column, values=values.astype(np.int64))


def _positions(column: Column) -> np.ndarray:
    """Numbers of a column; of words, their positions among all that were declared."""
    if column.declared is None or column.words is None:
        return column.values
    among = np.array([column.declared.index(each) for each in column.words], dtype=np.int64)
    missing = np.isnan(column.values)
    if not missing.any():
        return among[column.values]
    return np.where(missing, np.nan, among[np.where(missing, 0, column.values).astype(int)])


def _check_exact(columns: Sequence[Column], table: Table) -> None:
    """Refuse whole numbers that a tensor of fractions cannot hold."""
    for k, column in enumerate(columns):
        if column.values.dtype.kind != "i":
            continue
        largest = max(-int(column.values.min()), int(column.values.max()))
        if largest > _EXACT:
            raise ValueError(
                f"{table.where(k)} holds {largest}, more than a tensor can beside fractions: "
                "subtract an offset, the same in every batch"
            )


def _shown(words: Sequence[str] | None) -> str:
    listed = list(words or ())
    return ", ".join(listed[:10]) + (", ..." if len(listed) > 10 else "")
