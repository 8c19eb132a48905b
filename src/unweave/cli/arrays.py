"""Codes and factors from a file."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unweave._check import constant_columns

__all__ = ["Table", "read_table"]

_NPZ_KEYS = ("codes", "factors", "factor_names", "factor_kinds")


@dataclass(frozen=True)
class Table:
    """Codes and factors of the same rows, with what is known of the factors."""

    codes: np.ndarray
    factors: np.ndarray
    names: list[str]
    kinds: list[str] | None
    dropped: list[str]
    """Names of the factors that were left out because they never vary."""


def read_table(file: Path, *, drop_constant: bool, rows: int | None, seed: int) -> Table:
    """The arrays of an .npz, or ``rows`` of them drawn without repeats.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it does not hold what is needed.
    """
    arrays = _read_npz(file)
    codes, factors = arrays["codes"], arrays["factors"]
    names = [str(n) for n in arrays.get("factor_names", range(np.shape(factors)[-1]))]
    kinds = [str(k) for k in arrays["factor_kinds"]] if "factor_kinds" in arrays else None
    dropped: list[str] = []
    if drop_constant and np.ndim(factors) == 2 and len(factors):
        constant = constant_columns(factors)
        dropped = [names[k] for k in constant]
        kept = [k for k in range(factors.shape[1]) if k not in constant]
        factors, names = factors[:, kept], [names[k] for k in kept]
        kinds = [kinds[k] for k in kept] if kinds else None
        if not kept:
            raise ValueError(f"no factor in {file} varies: there is nothing to score")
    if rows is not None and rows < len(codes) == len(factors):
        chosen = np.random.default_rng(seed).permutation(len(codes))[:rows]
        codes, factors = codes[chosen], factors[chosen]
    return Table(codes, factors, names, kinds, dropped)


def _read_npz(file: Path) -> dict[str, np.ndarray]:
    if not file.is_file():
        raise FileNotFoundError(f"no file at {file}")
    if file.stat().st_size == 0:
        raise ValueError(f"{file} is empty: an .npz with arrays codes and factors was needed")
    try:
        with open(file, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array")
            missing = [key for key in _NPZ_KEYS[:2] if key not in archive.files]
            if missing:
                raise ValueError(
                    f"it has no array {' and no array '.join(map(repr, missing))}; it has "
                    f"{', '.join(archive.files) or 'none'}"
                )
            return {key: _array(archive, key) for key in _NPZ_KEYS if key in archive.files}
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        if "pickle" in str(error).lower() and "array" not in str(error):
            error = ValueError("it is no .npz file")
        raise ValueError(f"{file} cannot be scored: {error}") from error


def _array(archive: Any, key: str) -> np.ndarray:
    try:
        return archive[key]
    except ValueError as error:
        raise ValueError(
            f"the array {key!r} is pickled, and pickles are never loaded because they can run "
            "code; save plain numbers or strings"
        ) from error
