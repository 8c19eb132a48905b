"""Checks of what users hand in, and the sentences they read when it cannot be used."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import numpy as np

from unweave._tables import (
    CodeTable,
    as_table,
    column_names,
    floats_of,
    index_of,
    word,
)

__all__ = [
    "FACTOR_KINDS",
    "check_choice",
    "check_codes",
    "check_factor_kinds",
    "check_indices",
    "check_latents",
    "check_names",
    "check_positive",
    "column_range",
    "constant_columns",
    "not_finite",
    "read_codes",
    "short",
    "suggestion",
]

_LARGEST = 1e30  # whose square single precision cannot hold, but double can
FACTOR_KINDS = ("categorical", "ordinal", "circular", "continuous")


def check_codes(codes: object, *, min_latents: int = 1) -> np.ndarray:
    """Codes as a finite float array (samples, latents), as of :func:`read_codes`."""
    return read_codes(codes, min_latents=min_latents).values


def read_codes(codes: object, *, min_latents: int = 1, like: CodeTable | None = None) -> CodeTable:
    """Finite codes (samples, latents) with what is known of them; float32 stays float32.

    They may be an array, a tensor, a sparse matrix or a data frame of numbers. With ``like``, they
    are read as further rows of that table, from the same origins.

    Raises
    ------
    ValueError
        If they are not two-dimensional numbers, are empty, hold missing or infinite values, are
        too large or too small to be squared, or have fewer than ``min_latents`` columns.
    """
    if isinstance(codes, CodeTable):
        check_latents(codes.values, min_latents)
        return codes
    table = as_table(codes, "codes", "(samples, latents)")
    array, origins = floats_of(table, "(samples, latents)", like)
    _check_numbers(array, table.names)
    check_latents(array, min_latents)
    return CodeTable(array, table.precisions, origins, column_names(codes), index_of(codes))


def _check_numbers(array: np.ndarray, names: Sequence[object] | None) -> None:
    """Refuse missing and infinite values, and those that cannot be squared."""
    # One walk for both checks: nan and infinity are the largest of their column.
    low, high = column_range(array)
    largest = np.maximum(-low, high)
    if not np.isfinite(largest).all():
        columns, found = not_finite(array)
        raise ValueError(
            f"codes hold nan or infinite values, in latents {short(columns, names)}: "
            f"{found}; every code must be a finite number: drop these rows or fill them in, and "
            "look for a diverged encoder"
        )
    extreme = np.flatnonzero((largest > _LARGEST) | ((largest > 0) & (largest < 1 / _LARGEST)))
    if extreme.size:
        raise ValueError(
            f"codes in latents {short(extreme, names)} are of a size of "
            f"{largest[extreme[0]]:.0e}: their squares leave the range of floating-point numbers; "
            f"rescale them to between {1 / _LARGEST:.0e} and {_LARGEST:.0e}"
        )


def check_latents(array: np.ndarray, min_latents: int) -> None:
    """Refuse codes (samples, latents) of fewer latents.

    Raises
    ------
    ValueError
        If there are fewer than ``min_latents``.
    """
    if array.shape[1] < min_latents:
        raise ValueError(
            f"codes have {array.shape[1]} latent(s), and a gap between the two best latents needs "
            f"at least {min_latents}: pass codes with more columns"
        )


def check_factor_kinds(kinds: Sequence[str], n_factors: int) -> tuple[str, ...]:
    """Kinds of factors, one of ``FACTOR_KINDS`` for each.

    Raises
    ------
    ValueError
        If their number is not ``n_factors`` or a kind is unknown.
    """
    if isinstance(kinds, str):
        kinds = [kinds] * n_factors
    if len(kinds) != n_factors:
        raise ValueError(
            f"{len(kinds)} factor kinds were given for {n_factors} factors: give one for each"
        )
    return tuple(check_choice("factor kind", str(kind), FACTOR_KINDS) for kind in kinds)


def check_names(what: str, names: Iterable[object], n: int) -> tuple[str, ...]:
    """Names as text, each different.

    Raises
    ------
    ValueError
        If their number is not ``n``, or two of them read the same.
    """
    names = [names] if isinstance(names, str | bytes) else names
    found = tuple(word(name) for name in names)
    if len(found) != n:
        raise ValueError(
            f"{len(found)} {what} names were given for {n} {what}s: give one name for each"
        )
    twice = [name for name in dict.fromkeys(found) if found.count(name) > 1]
    if twice:
        places = [i for i, name in enumerate(found) if name == twice[0]]
        raise ValueError(
            f"{what} names must differ from each other, and {twice[0]!r} is the name of {what}s "
            f"{', '.join(map(str, places))}: rename them, or drop the columns that are repeated"
        )
    return found


def check_choice(what: str, value: str, choices: Iterable[str]) -> str:
    """``value`` itself when it is one of ``choices``.

    Raises
    ------
    ValueError
        Otherwise, naming the nearest choice.
    """
    choices = list(choices)
    if value not in choices:
        raise ValueError(
            f"unknown {what} {value!r}{suggestion(value, choices)}; choose from "
            f"{', '.join(choices)}"
        )
    return value


def check_positive(what: str, value: int, *, minimum: int = 1) -> int:
    """``value`` as an int of at least ``minimum``.

    Raises
    ------
    ValueError
        If it is not a whole number or is below ``minimum``.
    """
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not is_number or value != np.floor(value) or value < minimum:
        raise ValueError(f"{what} must be a whole number of at least {minimum}, not {value!r}")
    return int(value)


def check_indices(indices: object, size: int) -> np.ndarray:
    """Row indices as int64 (n,), each in [0, ``size``).

    Raises
    ------
    TypeError
        If they are not integers.
    IndexError
        If one lies outside the dataset.
    """
    array = np.atleast_1d(np.asarray(indices))
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"row indices must be integers, not {array.dtype}")
    if array.ndim != 1:
        raise IndexError(f"row indices must be one-dimensional, not of shape {array.shape}")
    array = array.astype(np.int64)
    if array.size and (array.min() < 0 or array.max() >= size):
        raise IndexError(
            f"row indices must lie in [0, {size}), but run from {array.min()} to {array.max()}"
        )
    return array


def constant_columns(array: np.ndarray) -> np.ndarray:
    """Positions of the columns that take one value only."""
    # A few rows from all over settle it for nearly all columns.
    still = np.flatnonzero((array[:: max(1, len(array) // 128)] == array[:1]).all(axis=0))
    return still[(array[:, still] == array[:1, still]).all(axis=0)]


def suggestion(word: str, choices: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` when a choice is near ``word``, else nothing."""
    by_lower = {choice.casefold(): choice for choice in choices}
    near = difflib.get_close_matches(word.casefold(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[near[0]]!r}?)" if near else ""


def column_range(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value (columns,) of each column; nan if it holds one."""
    rows, columns = array.shape
    # Reductions of narrow tables are slow: lay rows side by side first.
    beside = min(rows, max(1, 512 // columns))
    whole = rows // beside * beside
    folded = array[:whole].reshape(-1, beside * columns)
    rest = array[whole - 1 :]
    low, high = (
        reduce(reduce(folded, axis=0).reshape(beside, columns), axis=0)
        for reduce in (np.min, np.max)
    )
    return np.minimum(low, rest.min(axis=0)), np.maximum(high, rest.max(axis=0))


def not_finite(array: np.ndarray) -> tuple[np.ndarray, str]:
    """Columns of ``array`` (rows, columns) with nan or infinite values, and how many there are."""
    missing, bad = np.isnan(array), ~np.isfinite(array)
    n_missing, n_rows = int(missing.sum()), int(bad.any(axis=1).sum())
    n_infinite = int(bad.sum()) - n_missing
    counts = [_count(n_missing, "missing value")] if n_missing else []
    counts += [_count(n_infinite, "infinite value")] if n_infinite else []
    return np.flatnonzero(bad.any(axis=0)), f"{' and '.join(counts)} in {_count(n_rows, 'row')}"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def short(columns: Sequence[int] | np.ndarray, names: Sequence[object] | None = None) -> str:
    """Positions of the first ten columns, with their names if they have any."""
    shown = [int(c) for c in columns[:10]]
    rest = ", ..." if len(columns) > 10 else ""
    positions = f"[{', '.join(map(str, shown))}{rest}]"
    if names is None or all(str(names[c]) == str(c) for c in shown):
        return positions
    return f"{positions} ({', '.join(str(names[c]) for c in shown)}{rest})"
