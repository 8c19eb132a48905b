"""Panics of polars: how its reader of Parquet ends at some kinds of damage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_panics"]


@contextmanager
def without_panics() -> Iterator[None]:
    """Answer a panic with a ValueError, and without the trace that it writes to stderr.

    A panic is not an ``Exception``, so nothing else would catch it.
    """
    import polars as pl

    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    except pl.exceptions.PanicException as error:
        raise ValueError(f"it is damaged ({str(error).splitlines()[0]})") from error
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
