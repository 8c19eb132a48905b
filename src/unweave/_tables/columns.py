"""One column of a table: its numbers, or its words as levels."""

from __future__ import annotations

import datetime
import decimal
import numbers
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = ["Column", "array_column", "category_column", "dates", "level_column", "word"]

_MISSING_TYPES = ("NAType", "NaTType", "MaskedConstant")
_MISSING_WORDS = ("nan", "<NA>", "NaT")  # what libraries make of missing values among words


@dataclass(frozen=True)
class Column:
    """Numbers (rows,), nan where one is missing; of words, the position of each in ``words``."""

    values: np.ndarray
    words: tuple[str, ...] | None = None
    """Each different word, in the order of the levels; None for numbers."""
    is_ordered: bool = False
    """Whether the words come in an order that was declared."""
    of_numbers: bool = False
    """Whether the words are numbers, of a categorical whose categories are."""
    declared: tuple[str, ...] | None = None
    """All words of a categorical, also those that no row has."""

    @property
    def numbers(self) -> np.ndarray | None:
        """Numbers (rows,), those that the words read as; None if a word reads as no finite one."""
        if self.words is None:
            return self.values
        try:
            read = np.array([float(each) for each in self.words])
        except ValueError:
            return None
        if not np.isfinite(read).all():
            return None
        missing = np.isnan(self.values)
        return np.where(missing, np.nan, read[np.where(missing, 0, self.values).astype(int)])


def array_column(values: np.ndarray, where: str) -> Column:
    """The column of an array (rows,) of any type.

    Raises
    ------
    ValueError
        If it holds something other than numbers or words, or both.
    """
    kind = values.dtype.kind
    if kind in "biuf":
        return Column(values)
    if kind in "SUT":
        return _string_column(values)
    if kind in "mM":
        raise dates(where)
    if kind == "c":
        raise ValueError(
            f"{where} holds complex numbers: give real and imaginary parts a column each"
        )
    if kind == "V":
        raise ValueError(
            f"{where} is of the type {values.dtype}: turn it into an array of numbers, of a "
            "structured array by numpy.lib.recfunctions.structured_to_unstructured"
        )
    return _object_column(values.astype(object), where)


def category_column(
    values: Sequence[Any], categories: Sequence[Any], where: str, *, is_ordered: bool
) -> Column:
    """The column of a categorical, whose levels are the categories that occur, in their order."""
    present = [value for value in categories if not _is_missing(value)]
    position = {value: i for i, value in enumerate(present)}
    codes = np.array([position.get(value, -1) for value in values], dtype=np.int64)
    words = _distinct([word(value) for value in present], where)
    of_numbers = all(_kind_of(value) == "numbers" for value in present)
    return level_column(codes, words, is_ordered=is_ordered, of_numbers=of_numbers)


def level_column(
    codes: np.ndarray, declared: Sequence[str], *, is_ordered: bool, of_numbers: bool
) -> Column:
    """The column of a categorical of ``codes``, positions in ``declared`` or -1 for missing."""
    return replace(
        _levels(codes, declared),
        is_ordered=is_ordered,
        of_numbers=of_numbers,
        declared=tuple(declared),
    )


def dates(where: str) -> ValueError:
    """The sentence about dates and times."""
    return ValueError(
        f"{where} holds dates or times: turn them into numbers, for instance seconds since the "
        "first of them"
    )


def word(value: object) -> str:
    """A name or level as text; bytes are UTF-8."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _string_column(values: np.ndarray) -> Column:
    """NumPy has one type for all columns: those that read as numbers in every row are numbers."""
    found = values.tolist()
    text = np.array([_MISSING_WORDS[0] if _is_missing(each) else word(each) for each in found])
    try:
        read = text.astype(np.float64)
    except ValueError:
        return _word_column(text, np.isin(text, _MISSING_WORDS))
    whole = np.isfinite(read).all() and (read == np.round(read)).all()
    return Column(read.astype(np.int64) if whole and np.abs(read).max() < 2**53 else read)


def _word_column(text: np.ndarray, missing: np.ndarray) -> Column:
    words = np.unique(text[~missing])
    codes = np.where(missing, -1, np.searchsorted(words, text))
    return _levels(codes, words.tolist())


def _levels(codes: np.ndarray, words: Sequence[str]) -> Column:
    """Levels from 0 on without gaps of ``codes``, positions in ``words`` or -1 for missing."""
    used, levels = np.unique(codes, return_inverse=True)
    n_missing = int(used.size > 0 and used[0] < 0)
    kept = tuple(words[i] for i in used[n_missing:])
    values = levels.astype(np.int64)
    if n_missing:
        values = np.where(codes < 0, np.nan, levels - 1.0)
    return Column(values, kept)


def _object_column(values: np.ndarray, where: str) -> Column:
    missing = np.fromiter(map(_is_missing, values), dtype=bool, count=len(values))
    known = values[~missing]
    kinds = {kind: example for kind, example in zip(map(_kind_of, known), known, strict=True)}
    for kind, example in kinds.items():
        if kind == "dates":
            raise dates(where)
        if kind not in ("words", "numbers", "booleans"):
            raise ValueError(
                f"{where} holds values of type {type(example).__name__}: every value must be one "
                "real number, or one word in a factor"
            )
    if set(kinds) == {"booleans"} and missing.any():
        text = np.array([str(bool(value)) for value in np.where(missing, False, values)])
        return _word_column(text, missing)
    if "words" not in kinds:
        return Column(_numbers(values, missing, where, all_boolean=set(kinds) == {"booleans"}))
    if len(kinds) > 1:
        number = kinds.get("numbers", kinds.get("booleans"))
        raise ValueError(
            f"{where} holds words and numbers, as {word(kinds['words'])!r} and {number}: turn all "
            "of them into one or the other"
        )
    text = np.full(len(values), "", dtype=object)
    text[~missing] = [word(value) for value in known]
    return _word_column(text.astype(str), missing)


def _numbers(
    values: np.ndarray, missing: np.ndarray, where: str, *, all_boolean: bool
) -> np.ndarray:
    if missing.any():
        found = np.full(len(values), np.nan)
        found[~missing] = [float(value) for value in values[~missing]]
        return found
    if all_boolean:
        return values.astype(bool)
    if all(isinstance(value, numbers.Integral | np.bool_) for value in values):
        whole = [int(value) for value in values]
        if max(map(abs, whole), default=0) >= 2**63:
            raise ValueError(
                f"{where} holds {max(whole, key=abs)}, more than a signed 64-bit whole number can: "
                "relabel the levels from 0 on"
            )
        return np.array(whole, dtype=np.int64)
    return np.array([float(value) for value in values])


def _kind_of(value: object) -> str:
    if isinstance(value, str | bytes):
        return "words"
    if isinstance(value, bool | np.bool_):
        return "booleans"
    if isinstance(value, numbers.Real | decimal.Decimal):
        return "numbers"
    if isinstance(
        value,
        datetime.date | datetime.time | datetime.timedelta | np.datetime64 | np.timedelta64,
    ) or hasattr(value, "start_time"):  # the last is a period of pandas
        return "dates"
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):  # a number of its library
        return _kind_of(value.item())
    return type(value).__name__


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in _MISSING_TYPES:
        return True
    if isinstance(value, str | bytes):
        return word(value) in _MISSING_WORDS
    if isinstance(value, float | np.floating | decimal.Decimal):
        return value != value
    return isinstance(value, np.datetime64 | np.timedelta64) and bool(np.isnat(value))


def _distinct(words: list[str], where: str) -> list[str]:
    for name, n_categories in Counter(words).items():
        if n_categories > 1:
            raise ValueError(
                f"{where} has {n_categories} categories that read {name!r}: rename all but one"
            )
    return words
