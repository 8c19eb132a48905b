"""Text tables as polars frames, however they are written."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unweave._extras import require

if TYPE_CHECKING:
    import polars as pl

__all__ = ["is_index", "read_csv"]

_INDEX = re.compile(r"|Unnamed: 0|__index_level_\d+__")
_SEPARATORS = ",;\t|"
_MISSING = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null"]
_WIDE_MARKS = {  # the longer mark first: one begins with the other
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_NOT_UTF_8 = "it is not UTF-8 text: save it as UTF-8, as with iconv -f LATIN1 -t UTF-8"
_NO_HEADER = "its first line is numbers and no header, so its columns are named by their positions"
_COMMA_OR_WHOLE = r"^[+-]?(\d+(,\d+)?|,\d+)([eE][+-]?\d+)?$"


def read_csv(file: Path) -> tuple[pl.DataFrame, str]:
    """The table in a text file, and what a reader should know of the names of its columns.

    UTF-8 or marked UTF-16, with a header. Commas, semicolons, tabs or bars separate; beside
    semicolons, numbers may have decimal commas. Missing values may be empty, NA, nan or null.

    Raises
    ------
    ValueError
        If it is not such a table, with the reason only: who reads it names the file.
    """
    require("tables", needed_by="a table in a file")
    import polars as pl

    text = _text(file)
    try:
        with _opened(text) as stream:
            sample = [line for line in (stream.readline() for _ in range(50)) if line.strip()]
    except UnicodeDecodeError as error:
        raise ValueError(_NOT_UTF_8) from error
    if not sample:
        raise ValueError("it has no line with names")
    separator = "\t" if file.suffix.lower() == ".tsv" else _separator(sample[0])
    names = _fields(sample[0], separator)
    if names is None:
        raise ValueError(
            f"a name in its header has more than {csv.field_size_limit():,} characters: shorten it"
        )
    has_header = _has_header(names)
    try:
        frame = pl.read_csv(
            text,
            separator=separator,
            has_header=has_header,
            infer_schema_length=None,
            null_values=_MISSING,
        )
    except pl.exceptions.PolarsError as error:
        raise ValueError(_reason(error)) from error
    if not frame.height:
        raise ValueError("it has a header and no rows")
    if has_header:
        frame.columns = [name.strip() for name in names]
    remark = "" if has_header else _NO_HEADER
    return frame.with_columns(_numbers(column, separator == ";") for column in frame), remark


def is_index(name: str) -> bool:
    """Whether a column is the index of a pandas frame, which only its full name chooses."""
    return _INDEX.fullmatch(name) is not None


def _text(file: Path) -> Path | io.BytesIO:
    """The file itself if it is UTF-8 in lines, else its text in UTF-8."""
    with open(file, "rb") as stream:
        head = stream.read(65536)
    for mark, encoding in _WIDE_MARKS.items():
        if head.startswith(mark):
            return io.BytesIO(file.read_bytes().decode(encoding).encode())
    if b"\0" in head:
        raise ValueError("it is binary, or UTF-16 without a byte-order mark: save it as UTF-8 text")
    if b"\r" in head[:-1] and b"\n" not in head:  # line ends of old spreadsheets
        return io.BytesIO(file.read_bytes().replace(b"\r", b"\n"))
    return file


def _opened(text: Path | io.BytesIO) -> io.TextIOBase:
    raw = io.BytesIO(text.getvalue()) if isinstance(text, io.BytesIO) else open(text, "rb")
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def _separator(header: str) -> str:
    counts = {s: len(_fields(header, s) or ()) for s in _SEPARATORS}
    return max(counts, key=lambda s: counts[s])


def _fields(line: str, separator: str) -> list[str] | None:
    """What a line holds; None if a field is longer than any that is read."""
    try:
        return next(csv.reader([line], delimiter=separator))
    except csv.Error:
        return None


def _has_header(names: list[str]) -> bool:
    """Whether the first line is names, and not numbers.

    Raises
    ------
    ValueError
        If it may be either, names two columns alike, or holds fractions beside words.
    """
    names = [name.strip() for name in names]
    if all(_is_number(name) for name in names):
        if len(names) > 1 and names in (
            [str(i) for i in range(len(names))],
            [str(i + 1) for i in range(len(names))],
        ):
            raise ValueError(
                f"its first line, {','.join(names[:5])}, may be names or a row of numbers: give "
                "the columns names that are words, as z0,z1"
            )
        return False
    twice = [name for name, count in Counter(names).items() if count > 1]
    values = [name for name in names if _is_number(name) and not name.isdecimal()]
    if values:
        raise ValueError(
            f"its first line holds values, as {values[0]}, and must be a header: add a first line "
            "with the names of the columns, as z0,z1,hue"
        )
    if twice:
        raise ValueError(
            f"names must not stand more than once in its header, as {twice[0]!r} does; if its "
            "first line is data, add a header above it"
        )
    return True


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _numbers(column: Any, may_have_commas: bool) -> Any:
    """A column of numbers with blanks around them, or with decimal commas, as numbers."""
    import polars as pl

    if column.dtype != pl.String:
        return column
    stripped = column.str.strip_chars()
    texts = [stripped]
    if may_have_commas and stripped.str.contains(_COMMA_OR_WHOLE).all():
        texts.append(stripped.str.replace(",", ".", literal=True))
    for text in texts:
        try:
            return text.cast(pl.Float64) if column.len() else column
        except pl.exceptions.PolarsError:
            continue
    return stripped


def _reason(error: Exception) -> str:
    text = str(error).split("\n")[0]
    return _NOT_UTF_8 if "utf" in text.lower() else text
