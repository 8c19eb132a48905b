"""The files that commands read: .npz, .npy, .csv, .tsv, .parquet and .h5ad."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from unweave._files import check_regular, first_line
from unweave.cli.files.anndata import h5ad_source
from unweave.cli.files.arrays import npy_source, npz_source
from unweave.cli.files.source import Role, Source, is_index
from unweave.cli.files.tables import csv_source, parquet_source

__all__ = ["READERS", "Role", "Source", "is_index", "open_source"]

READERS: dict[str, Callable[[Path], Source]] = {
    ".npz": npz_source,
    ".npy": npy_source,
    ".csv": csv_source,
    ".tsv": csv_source,
    ".parquet": parquet_source,
    ".h5ad": h5ad_source,
}
"""A reader for each kind of file."""


def open_source(file: Path, *, needed: str = "codes and factors") -> Source:
    """What a file holds, its arrays or columns not read yet; ``needed`` says what it must hold.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be opened.
    ValueError
        If it has another suffix, is empty, is damaged, or is not a regular file.
    ImportError
        If its kind needs a package that is not installed.
    """
    if file.is_dir():
        inside = sorted(p.name for p in file.iterdir() if p.suffix.lower() in READERS)
        hint = f": it has {', '.join(inside[:10])}" if inside else ""
        raise ValueError(f"{file} is a folder, and a file is needed{hint}")
    if not file.exists():
        raise FileNotFoundError(f"no file at {file}")
    check_regular(file)
    suffix = file.suffix.lower()
    if suffix not in READERS:
        raise ValueError(f"{file} cannot be read: its name must end in one of {', '.join(READERS)}")
    if file.stat().st_size == 0:
        raise ValueError(f"{file} is empty: {needed} are needed")
    return _guarded(file, suffix)


def _guarded(file: Path, suffix: str) -> Source:
    """The source, whose readers answer damaged files with a ValueError that names the file."""

    def guard(read: Callable, *arguments: object) -> Any:
        try:
            return read(*arguments)
        except ImportError:
            raise
        except Exception as error:
            # Each library has errors of its own for damaged files: zlib.error, KeyError, ...
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise ValueError(f"{file} cannot be read as {suffix}: {first_line(error)}") from error

    source = guard(READERS[suffix], file)
    return replace(source, load=partial(guard, source.load))
