"""What the commands share: where they write, and how they say that something takes time."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

__all__ = ["err", "out", "patience", "print_json", "print_table", "progress_bar"]

# Piped output has no width of its own: give tables enough to stay whole.
_is_terminal = sys.stdout is not None and sys.stdout.isatty()
out = Console(width=None if _is_terminal else 140)
err = Console(stderr=True)


def print_json(content: dict[str, Any]) -> None:
    """JSON on standard output."""
    print(json.dumps(content, indent=1, allow_nan=False))


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, n_left: int = 1
) -> None:
    """A table on standard output, its first columns to the left, the others to the right."""
    table = Table(title=title)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i < n_left else "right")
    for row in rows:
        table.add_row(*row)
    out.print(table, markup=False)


@contextmanager
def progress_bar() -> Iterator[Any]:
    """A progress bar on stderr, told (what, done, in all); silent where stderr is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("starting", total=None)

        def report(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield report


@contextmanager
def patience(what: str) -> Iterator[None]:
    """A spinner on stderr; silent where stderr is no terminal."""
    if err.is_terminal:
        with err.status(what):
            yield
    else:
        yield
