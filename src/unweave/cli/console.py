"""What the commands share: where they write, and how they say that something takes time."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from unweave.cli.encoding import as_written, visible
from unweave.cli.encoding import spelled as _spelled

__all__ = [
    "counted",
    "drop",
    "err",
    "out",
    "patience",
    "print_json",
    "print_line",
    "print_note",
    "print_table",
    "print_texts",
    "progress_bar",
    "say",
    "spelled",
]

# Piped output has no width of its own. What users named is printed as it is, without markup.
_is_terminal = sys.stdout is not None and sys.stdout.isatty()
_has_width = _is_terminal or "COLUMNS" in os.environ
out = Console(width=None if _has_width else 140, markup=False, emoji=False, highlight=False)
err = Console(stderr=True, markup=False, emoji=False, highlight=False)


def counted(n: int, noun: str) -> str:
    """As "1 row" and "2 rows"."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def print_json(content: dict[str, Any]) -> None:
    """JSON on standard output."""
    print(json.dumps(content, indent=1, allow_nan=False))


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    n_left: int = 1,
    n_keys: int = 1,
    wide: bool = False,
) -> None:
    """A table on standard output, its first columns to the left, the others to the right.

    No cell is cut: a table that is wider than the terminal is printed in parts, one below the
    other, each with the first ``n_keys`` columns; in one part if it is to be ``wide``.
    """
    columns = _cells(columns)  # before widths are measured: ± may become +/-
    rows = [_cells(row) for row in rows]
    cells = [[column, *(row[i] for row in rows)] for i, column in enumerate(columns)]
    widths = [max(map(_width, texts)) for texts in cells]
    print_line(title, style="bold")
    for n, part in enumerate(_parts(widths, n_keys, math.inf if wide else out.width)):
        table = _table()
        table.width = _table_width(widths[i] for i in part)
        for i in part:
            table.add_column(columns[i], justify="left" if i < n_left else "right", no_wrap=True)
        for row in rows:
            table.add_row(*(row[i] for i in part))
        if n:
            out.print()
        out.print(table, crop=False)


def print_texts(title: str | None, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table of sentences on standard output, wrapped to the terminal; no word is cut."""
    if title is not None:
        print_line(title, style="bold")
    table = _table()
    for column in _as_written(columns):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*_as_written(row))
    out.print(table)


def print_line(text: str, *, style: str | None = None) -> None:
    """A line on standard output as it is: neither broken nor cut."""
    out.print(visible(text), style=style, soft_wrap=True)


def print_note(text: str, *, style: str | None = None) -> None:
    """A sentence on standard output, wrapped to the terminal."""
    out.print(as_written(text, out.file), style=style)


def spelled(text: str) -> str:
    """Text of our own with Greek letters as words where standard output lacks them."""
    return _spelled(text, out.file)


def say(text: str, *, style: str) -> None:
    """A line on stderr; nothing where stderr cannot be written, as on a full disk."""
    try:
        err.print(visible(text), style=style, soft_wrap=True)
        err.file.flush()
    except OSError:
        drop(sys.stderr)


def drop(stream: IO[str]) -> None:
    """Forget what waits to be written to a stream, as at its end Python would try once more."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _as_written(cells: Sequence[str]) -> list[str]:
    return [as_written(cell, out.file) for cell in cells]


def _cells(texts: Sequence[str]) -> list[str]:
    """As written, each on a line of its own: a name with a line break looks like two rows."""
    return [text.replace("\n", r"\n").replace("\t", r"\t") for text in _as_written(texts)]


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))


def _width(text: str) -> int:
    return max(map(cell_len, text.split("\n")))


def _table_width(widths: Iterable[int]) -> int:
    return sum(width + 2 for width in widths) - 2  # two blanks between columns


def _parts(widths: Sequence[int], n_keys: int, available: float) -> list[list[int]]:
    """Columns of each part of a table: the first ``n_keys``, and as many others as fit."""
    keys = list(range(n_keys))
    parts = [keys]
    for i in range(n_keys, len(widths)):
        beside = [*parts[-1], i]
        if len(parts[-1]) > n_keys and _table_width(widths[j] for j in beside) > available:
            parts.append([*keys, i])
        else:
            parts[-1] = beside
    return parts


@contextmanager
def progress_bar() -> Iterator[Any]:
    """A progress bar on stderr, called with (what, done, total); silent without a terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("starting", total=None)

        def report(what: str, done: int, total: int) -> None:
            progress.update(task, description=visible(what), completed=done, total=total)

        yield report


@contextmanager
def patience(what: str) -> Iterator[None]:
    """A spinner on stderr; silent where stderr is not a terminal."""
    if err.is_terminal:
        with err.status(Text(visible(what))):
            yield
    else:
        yield
