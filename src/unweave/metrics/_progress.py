"""A bar on stderr for what takes time; silent where stderr is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["progress"]

_live: list[Any] = []  # the bars on show: rich can draw one display at a time


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A line of a bar for ``total`` steps; call what is given after each of them."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    if _live:
        task = _live[-1].add_task(what, total=total)
        try:
            yield lambda: _live[-1].advance(task)
        finally:
            _live[-1].remove_task(task)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        _live.append(bar)
        try:
            task = bar.add_task(what, total=total)
            yield lambda: bar.advance(task)
        finally:
            _live.pop()
