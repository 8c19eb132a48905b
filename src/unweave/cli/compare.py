"""`unweave compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import unweave
from unweave.cli.console import counted, patience, print_json, print_note, print_table
from unweave.cli.options import Count, Flag, Json, Names, Patterns, Seed, Wide, within

if TYPE_CHECKING:
    from unweave.cli.arrays import Table

__all__ = ["compare"]


def compare(
    first: Path,
    second: Path,
    factors_file: Path | None = None,
    *,
    codes: Patterns | None = None,
    factors: Patterns | None = None,
    metrics: Names | None = None,
    json: Json = False,  # noqa: A002
    wide: Wide = False,
    drop_constant: Flag = False,
    rows: Count | None = None,
    halves: Annotated[int, within(2, 10_000)] = 20,
    seed: Seed = 0,
) -> None:
    """The scores of the codes in FIRST and SECOND, their difference, its interval and p-value.

    Parameters
    ----------
    first
        A file that `unweave score` reads.
    second
        Another one, of the same rows: the factors of both must be equal.
    factors_file
        The factors of the rows of both, where FIRST and SECOND have the codes alone.
    codes
        Arrays or columns of both that are codes, as for `unweave score`.
    factors
        Arrays or columns that are factors, as for `unweave score`.
    metrics
        Metrics to compute: names that `unweave metrics` lists, as mig,sap, or
        package.module:MyMetric; by default all.
    json
        Print JSON instead of a table.
    wide
        Print all columns in one table, however wide it is.
    drop_constant
        Leave out factors that never vary, instead of refusing them.
    rows
        Number of rows to draw without repeats; by default all.
    halves
        Number of random halves of the rows from which the interval is found.
    seed
        Seed for drawing rows and for the metrics.
    """
    from unweave.cli.arrays import Choice, read_codes
    from unweave.metrics import compare as compare_codes

    choice = Choice(
        codes,
        factors,
        drop_constant=drop_constant,
        rows=rows,
        seed=seed,
        files="codes.npy codes2.npy factors.npy (the factors of both as the third file)",
    )
    one, other = (read_codes(file, factors_file, choice) for file in (first, second))
    _check_same_rows(first, one, second, other)
    kinds, notes = one.kinds_and_notes()
    with patience("comparing"):
        found = compare_codes(
            one.codes,
            other.codes,
            one.factors,
            metrics=metrics,
            factor_names=one.names,
            factor_kinds=kinds,
            n_halves=halves,
            seed=seed,
        )
    if json:
        print_json(
            {
                "unweave": unweave.__version__,
                "first": str(first),
                "second": str(second),
                **found.to_dict(),
                "notes": [*notes, *found.notes],
            }
        )
        return
    names = (first.name, second.name) if first.name != second.name else (str(first), str(second))
    title = f"{names[0]} minus {names[1]}: {counted(found.n_samples, 'row')}"
    print_table(title, *found.rows(*names), wide=wide)
    print_note(
        "p: how likely a difference as large comes from the sample of rows alone; other seeds of "
        "training are not in it.",
        style="dim",
    )
    for note in (*notes, *found.notes):
        print_note(f"note: {note}")


def _check_same_rows(first: Path, one: Table, second: Path, other: Table) -> None:
    """Refuse codes of other rows, which the factors betray."""
    shape, other_shape = one.factors.shape, other.factors.shape
    how = ""
    if shape != other_shape:
        how = f"have shapes {shape} and {other_shape}"
    elif n_apart := one.n_rows_apart(other):
        how = f"differ in {n_apart:,} of {shape[0]:,} rows"
    if how:
        raise ValueError(
            f"the factors in {first} and {second} {how}: both files must hold codes of the same "
            "rows in the same order"
        )
