"""Which row of a table belongs to which image file."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl

__all__ = ["rows_of_files"]

_FILES = ("file", "filename", "file_name", "path", "image", "image_path", "img")
_NAMES = (*_FILES, "name", "id")
_MOST_NAMED = 5
_NONE, _SEVERAL = -1, -2


def rows_of_files(
    frame: pl.DataFrame, files: Sequence[str], *, table: str | Path, folder: str | Path
) -> tuple[str, np.ndarray]:
    """The column of file names, and the row of each file, -1 for files without one.

    A name is a path below the folder, or the bare name of a file where no other has it, both with
    or without suffix. Whole numbers stand for files whose names are that number, as 7 for
    ``007.png``: this is what readers of text tables make of such names.

    Raises
    ------
    ValueError
        If no column names the files, or several do, differently; or if it names other files than
        there are, one more than once, or by a bare name that several have.
    """
    table, folder = Path(table), Path(folder)
    lookup = _Lookup(files, folder)
    read = {name: lookup.positions(frame[name]) for name in frame.columns}
    found = {name: positions for name, positions in read.items() if positions is not None}
    column = _column_of_names(frame, found, table)
    if column is None:
        raise ValueError(
            f"no column of {table} names the image files, which are called as {files[0]}: it has "
            f"{', '.join(frame.columns[:20])}; one of them must hold their names"
        )
    positions = found[column]
    values = [_text(value) for value in frame[column].to_list()]
    _check_known(positions, values, files, table, folder)
    _check_once(positions, values, table)
    rows = np.full(len(files), -1)
    rows[positions] = np.arange(len(positions))
    return column, rows


class _Lookup:
    """Files by all the names that they can be given."""

    def __init__(self, files: Sequence[str], folder: Path) -> None:
        self.prefix = folder.resolve().as_posix() + "/"
        # A full path comes first: it is one file's, whatever other files are called in part.
        self.names = [
            _unique(files),
            _unique([os.path.splitext(file)[0] for file in files]),
            _unique([file.rsplit("/", 1)[-1] for file in files]),
            _unique([os.path.splitext(file.rsplit("/", 1)[-1])[0] for file in files]),
        ]
        # Macs take letters with marks apart; tables rarely do.
        self.composed = [_merged(names) for names in self.names]
        self.numbers = _unique([_number(stem) for stem in self.names[3]])
        stems = list(self.names[3].values())
        self.numbers = {
            number: position if position < 0 else stems[position]
            for number, position in self.numbers.items()
            if number is not None
        }

    def positions(self, column: Any) -> np.ndarray | None:
        """The file that each value names, or below 0; None for what cannot be names."""
        import polars as pl

        if column.dtype.is_integer():
            return np.array([self.numbers.get(value, _NONE) for value in column.to_list()])
        if column.dtype in (pl.String, pl.Categorical, pl.Enum):
            return np.array([self._position(_text(value)) for value in column.to_list()])
        return None

    def _position(self, value: str) -> int:
        value = value.replace("\\", "/").removeprefix(self.prefix).removeprefix("./")
        if (names := next((names for names in self.names if value in names), None)) is not None:
            return names[value]
        value = _composed(value)
        return next((names[value] for names in self.composed if value in names), _NONE)


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _merged(names: dict[str, int]) -> dict[str, int]:
    """Positions by composed names."""
    found: dict[str, int] = {}
    for name, position in names.items():
        found[_composed(name)] = _SEVERAL if _composed(name) in found else position
    return found


def _unique(names: Sequence[Any]) -> dict[Any, int]:
    """Positions by name; that of a name which several have is -2."""
    found: dict[Any, int] = {}
    for position, name in enumerate(names):
        found[name] = _SEVERAL if name in found else position
    return found


def _number(stem: str) -> int | None:
    return int(stem) if stem.isascii() and stem.isdigit() else None


def _column_of_names(frame: pl.DataFrame, found: dict[str, np.ndarray], table: Path) -> str | None:
    """The column that is called as such columns are and names files, or else names most files.

    Whole numbers come last, if each names a file of its own: levels may be numbers of files, too.
    """
    n_named = {name: len(np.unique(at[at != _NONE])) for name, at in found.items()}
    words = [name for name in found if not frame[name].dtype.is_integer()]
    numbers = [name for name, at in found.items() if name not in words and n_named[name] == len(at)]
    if any(name.lower() in _FILES for name in words):
        numbers = []
        words = [name for name in words if name.lower() in _FILES and n_named[name]] or words
    called = [name for name in found if name.lower() in _NAMES]
    for candidates in (words, numbers, called):
        most = max((n_named[name] for name in candidates), default=0)
        best = [name for name in candidates if n_named[name] == most]
        if best and (most or candidates is called):
            return _one_of(best, found, table)
    return None


def _one_of(names: Sequence[str], found: dict[str, np.ndarray], table: Path) -> str:
    """The column of these that name equally many files, by what columns of names are called."""
    for group in ((*_FILES,), _NAMES):
        called = [name for name in names if name.lower() in group]
        if called:
            names = called
            break
    first = names[0]
    if any(not np.array_equal(found[name], found[first]) for name in names[1:]):
        raise ValueError(
            f"several columns of {table} name the image files, and differently: "
            f"{', '.join(names)}; call the one that holds each row's own file 'file', or remove "
            "the others"
        )
    return first


def _check_known(
    positions: np.ndarray, values: Sequence[str], files: Sequence[str], table: Path, folder: Path
) -> None:
    several = [value for value, at in zip(values, positions, strict=True) if at == _SEVERAL]
    if several:
        raise ValueError(
            f"{table} names files by names that several have, as {several[0]!r}: give their paths "
            f"below {folder}"
        )
    unknown = [value for value, at in zip(values, positions, strict=True) if at == _NONE]
    if unknown:
        left = sorted(set(range(len(files))) - set(positions.tolist()))
        raise ValueError(
            f"{table} has labels for other files than {folder} has: {len(unknown):,} of its "
            f"{len(values):,} names are not files there ({_some(unknown)}), and {len(left):,} of "
            f"the {len(files):,} files have no row ({_some([files[i] for i in left])}); make both "
            "agree, or remove the rows without a file"
        )


def _check_once(positions: np.ndarray, values: Sequence[str], table: Path) -> None:
    twice = [at for at, count in Counter(positions.tolist()).items() if count > 1]
    if twice:
        rows = np.flatnonzero(positions == twice[0])
        raise ValueError(
            f"{table} has several rows for {len(twice):,} files, as for {values[rows[0]]} (rows "
            f"{rows[0] + 1} and {rows[1] + 1} below the header): leave one row for each"
        )


def _some(names: Sequence[str]) -> str:
    shown = [name or "an empty name" for name in names[:_MOST_NAMED]]
    return ", ".join(shown) + (", ..." if len(names) > _MOST_NAMED else "") or "none"


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
