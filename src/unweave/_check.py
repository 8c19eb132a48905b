"""Checks of what users hand in, and the sentences they read when it cannot be used."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

__all__ = [
    "FACTOR_KINDS",
    "check_choice",
    "check_codes",
    "check_codes_factors",
    "check_factor_kinds",
    "check_factors",
    "check_indices",
    "check_positive",
    "column_range",
    "constant_columns",
    "factor_labels",
    "suggestion",
]

_LARGEST = 1e30  # whose square single precision cannot hold, but double can
FACTOR_KINDS = ("categorical", "ordinal", "circular", "continuous")


def check_codes(codes: object, *, min_latents: int = 1) -> np.ndarray:
    """Codes as a finite float array (samples, latents); float32 stays float32.

    Raises
    ------
    ValueError
        If they are not two-dimensional numbers, are empty, hold nan or infinite values, are too
        large or too small to be squared, or have fewer than ``min_latents`` columns.
    """
    array = _numeric_matrix(codes, "codes", "(samples, latents)")
    if array.dtype.kind in "iu":
        _check_resolution(array)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    # One walk for both checks: nan and infinity are the largest of their column.
    low, high = column_range(array)
    largest = np.maximum(-low, high)
    if not np.isfinite(largest).all():
        bad = ~np.isfinite(array)
        columns = np.flatnonzero(bad.any(axis=0))
        raise ValueError(
            f"codes hold {int(bad.sum())} nan or infinite values, in latents {_short(columns)}: "
            "every code must be a finite number; look for a diverged encoder, or drop these rows"
        )
    extreme = np.flatnonzero((largest > _LARGEST) | ((largest > 0) & (largest < 1 / _LARGEST)))
    if extreme.size:
        raise ValueError(
            f"codes in latents {_short(extreme)} are of a size of {largest[extreme[0]]:.0e}: their "
            f"squares leave the range of floating-point numbers; rescale them to between "
            f"{1 / _LARGEST:.0e} and {_LARGEST:.0e}"
        )
    if array.shape[1] < min_latents:
        raise ValueError(
            f"codes have {array.shape[1]} latent(s), and a gap between the two best latents needs "
            f"at least {min_latents}: pass codes with more columns"
        )
    return array


def check_factors(factors: object) -> np.ndarray:
    """Factors as a finite array (samples, factors); whole numbers become int64 levels.

    A factor space stands for its whole grid, all rows in order.

    Raises
    ------
    ValueError
        If they are not two-dimensional finite numbers or are empty.
    """
    if _is_factor_space(factors):
        return factors.all_levels()  # type: ignore[attr-defined]
    array = _numeric_matrix(factors, "factors", "(samples, factors)")
    if array.dtype.kind == "u" and array.max() > np.iinfo(np.int64).max:
        raise ValueError(
            f"factors hold {array.max()}, more than a signed 64-bit whole number can: relabel the "
            "levels from 0 on"
        )
    if array.dtype.kind in "biu":
        return array.astype(np.int64)
    if not np.isfinite(array).all():
        columns = np.flatnonzero(~np.isfinite(array).all(axis=0))
        raise ValueError(
            f"factors {_short(columns)} hold nan or infinite values: drop these rows, or these "
            "columns"
        )
    if (array == np.round(array)).all() and np.abs(array).max() < 2**53:
        return array.astype(np.int64)
    return array.astype(np.float64)


def check_codes_factors(
    codes: object,
    factors: object,
    *,
    min_latents: int = 1,
    names: Sequence[str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Codes and factors of the same rows, no factor constant.

    Raises
    ------
    ValueError
        As :func:`check_codes` and :func:`check_factors`; also if the row counts differ or a factor
        takes one value only, so that no score of it is defined.
    """
    codes = check_codes(codes, min_latents=min_latents)
    factors = check_factors(factors)
    if len(codes) != len(factors):
        raise ValueError(
            f"codes have {len(codes)} rows and factors {len(factors)}: row i of both must belong "
            "to the same sample"
        )
    if names is not None and len(names) != factors.shape[1]:
        raise ValueError(
            f"{len(names)} factor names were given for {factors.shape[1]} factors: "
            "give one name for each column"
        )
    constant = constant_columns(factors)
    if constant.size:
        named = "" if names is None else f" ({', '.join(names[i] for i in constant)})"
        raise ValueError(
            f"factors {_short(constant)}{named} never vary: no score is defined; drop these "
            "columns (on the command line: --drop-constant)"
        )
    return codes, factors


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


def factor_labels(
    factors: object, names: Sequence[str] | None, kinds: Sequence[str] | None
) -> tuple[Sequence[str] | None, Sequence[str] | None]:
    """Names and kinds as given, else those that a factor space or a data frame has of its own."""
    if _is_factor_space(factors):
        return names or factors.names, kinds or factors.kinds  # type: ignore[attr-defined]
    if names is None and hasattr(factors, "columns"):
        names = [str(column) for column in factors.columns]
    return names, kinds


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
    if isinstance(value, bool) or int(value) != value or value < minimum:
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
    near = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


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


def _check_resolution(array: np.ndarray) -> None:
    """Refuse whole numbers whose differences double precision cannot hold."""
    low, high = column_range(array)
    for j, (least, most) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        step = float(np.spacing(float(max(-least, most))))
        if step > 1 and least < most and most - least < 64 * step:
            raise ValueError(
                f"codes in latent {j} are whole numbers near {float(most):.3g} that differ by at "
                f"most {most - least}, which double precision cannot hold: subtract an offset "
                "from them first"
            )


def _is_factor_space(factors: object) -> bool:
    return hasattr(factors, "levels") and hasattr(factors, "sizes")


def _numeric_matrix(array: Any, what: str, shape: str) -> np.ndarray:
    if hasattr(array, "detach"):  # a torch tensor, perhaps on a device or in half precision
        array = array.detach().cpu()
        array = array.float().numpy() if array.is_floating_point() else array.numpy()
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{what} must be an array of numbers {shape}, but its type is {array.dtype}: encode "
            "words as whole numbers, one for each level"
        )
    if array.ndim != 2:
        raise ValueError(f"{what} must be two-dimensional, {shape}, but its shape is {array.shape}")
    if array.size == 0:
        raise ValueError(f"{what} are empty: their shape is {array.shape}, {shape} was needed")
    return array


def _short(columns: np.ndarray) -> str:
    shown = ", ".join(str(c) for c in columns[:10])
    return f"[{shown}{', ...' if len(columns) > 10 else ''}]"
