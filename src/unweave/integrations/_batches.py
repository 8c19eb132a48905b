"""Batches of a table as tensors, and what they must have in common."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from unweave._tables import (
    Column,
    Table,
    as_table,
    column_names,
    level_column,
    matching_columns,
)

__all__ = ["Layout", "batch_of", "layouts_of", "names_of", "table_of"]

_EXACT = 2**53  # up to which double precision holds every whole number


@dataclass(frozen=True)
class _Part:
    """What one column of a tensor stands for."""

    kind: str
    """``numbers``, ``booleans`` or ``words``."""
    words: tuple[str, ...] = ()
    """What the numbers 0, 1, ... stand for."""
    is_ordered: bool = False
    """Whether the words come in an order that was declared."""
    of_numbers: bool = False
    """Whether the words are numbers."""
    type: str | None = None
    """NumPy's type of numbers; None where it is that of the tensor."""

    def column(self, values: np.ndarray, type_: str | None) -> Column:
        """The column of ``values`` (rows,), numbers as of ``type_``."""
        if self.kind == "booleans":
            return Column(values.astype(bool))
        if self.kind == "numbers":
            return Column(values if type_ is None else values.astype(type_))
        levels = np.where(np.isnan(values), -1, values).astype(np.int64)
        return level_column(
            levels, self.words, is_ordered=self.is_ordered, of_numbers=self.of_numbers
        )


@dataclass(frozen=True)
class Layout:
    """What a tensor (rows, columns) does not say of the table that it was."""

    columns: tuple[str, ...] | None
    """Names of a data frame."""
    parts: tuple[_Part, ...]
    """Each column."""

    def to_bytes(self) -> bytes:
        """One line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_bytes(cls, line: bytes) -> Layout:
        """What :meth:`to_bytes` wrote."""
        found = json.loads(line)
        parts = tuple(_Part(**{**part, "words": tuple(part["words"])}) for part in found["parts"])
        return cls(None if found["columns"] is None else tuple(found["columns"]), parts)

    def order_of(self, later: Layout, what: str) -> list[int] | None:
        """Positions of these columns in a ``later`` batch; None where they match by position.

        Raises
        ------
        ValueError
            If the batch has other columns.
        """
        n, n_later = len(self.parts), len(later.parts)
        if n != n_later:
            raise ValueError(
                f"{what} of this batch have {n_later} columns and earlier {what} {n}: every batch "
                "must have the same columns; call reset() before batches of another kind"
            )
        return matching_columns(
            self.columns, later.columns, f"earlier {what}", f"{what} of this batch"
        )

    def check_same(self, later: Layout, what: str) -> None:
        """Refuse a ``later`` batch with a column of another kind or of other words.

        Raises
        ------
        ValueError
            If there is one.
        """
        for k, (ours, theirs) in enumerate(zip(self.parts, later.parts, strict=True)):
            where = f"{what} {k}" if self.columns is None else f"{what} {k} ({self.columns[k]})"
            if ours.kind != theirs.kind:
                raise ValueError(
                    f"{where} holds {theirs.kind} in one batch and {ours.kind} in another: give "
                    "all batches the same type"
                )
            if replace(ours, type=None) != replace(theirs, type=None):
                raise ValueError(
                    f"{where} has the words {_shown(theirs)} in one batch and {_shown(ours)} in "
                    "another, and words have the same levels only if they are the same in every "
                    "batch: make it a categorical with the same categories in every batch, or "
                    "numbers"
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
        return data.detach(), Layout(None, (_Part(kind),) * data.shape[1])
    shape = "(samples, columns)"
    table = as_table(data, what, shape)
    columns: Sequence[Column] = table.columns
    if what == "codes":
        columns = [Column(values) for values in table.numbers(shape)]
    columns = [_for_torch(column, table.where(k)) for k, column in enumerate(columns)]
    tensor = _tensor(columns, table)
    parts = tuple(map(_part, columns))
    if len({part.type for part in parts}) == 1 and parts[0].kind != "words":
        parts = tuple(replace(part, type=None) for part in parts)
    return tensor, Layout(column_names(data), parts)


def layouts_of(encoded: torch.Tensor) -> list[Layout]:
    """The different layouts in bytes (n,), line by line."""
    lines = encoded.cpu().numpy().tobytes().splitlines()
    return [Layout.from_bytes(line) for line in dict.fromkeys(lines)]


def names_of(layouts: Sequence[Layout]) -> tuple[str, ...] | None:
    """Names of the columns, of the first batch that has some."""
    return next((layout.columns for layout in layouts if layout.columns is not None), None)


def table_of(tensor: torch.Tensor, layouts: Sequence[Layout], what: str) -> Table | torch.Tensor:
    """All batches as one table; the tensor itself where it says all.

    Raises
    ------
    ValueError
        If the ``layouts`` of the batches, of several processes maybe, differ.
    """
    first, names = layouts[0], names_of(layouts)
    for other in layouts[1:]:
        if len(other.parts) != len(first.parts) or other.columns not in (None, names):
            raise ValueError(
                f"{what} have other columns in one process than in another: give all of them the "
                "same columns in the same order"
            )
        first.check_same(other, what.removesuffix("s"))
    if all(part.kind == "numbers" and part.type is None for part in first.parts):
        return tensor
    columns = []
    for k, values in enumerate(tensor.cpu().numpy().T):
        types = {layout.parts[k].type for layout in layouts}
        own = types.pop() if len(types) == 1 else None
        columns.append(first.parts[k].column(values, own))
    return Table(what, names, None, tuple(columns))


def _tensor(columns: Sequence[Column], table: Table) -> torch.Tensor:
    values = np.column_stack([_positions(column) for column in columns])
    if values.dtype.kind == "f":
        _check_exact(columns, table)
    halves = {"float16": torch.float16, "bfloat16": torch.bfloat16}
    tensor = torch.tensor(values)
    return tensor.to(halves[table.precision]) if table.precision in halves else tensor


def _part(column: Column) -> _Part:
    name = column.values.dtype.name
    if column.words is not None:
        words = column.words if column.declared is None else column.declared
        return _Part("words", words, column.is_ordered, column.of_numbers)
    return _Part("booleans" if name == "bool" else "numbers", type=name)


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
            "an offset, the same in every batch"
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
    known = among[column.values[~missing].astype(np.int64)]
    found = np.full(len(missing), np.nan)
    found[~missing] = known
    return found


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


def _shown(part: _Part) -> str:
    return ", ".join(part.words[:10]) + (", ..." if len(part.words) > 10 else "")
