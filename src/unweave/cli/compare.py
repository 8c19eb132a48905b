"""`unweave compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

import unweave
from unweave.cli.arrays import read_table
from unweave.cli.console import out, patience, print_json, print_table
from unweave.metrics import compare as compare_codes

__all__ = ["compare"]


def compare(
    first: Path,
    second: Path,
    *,
    metrics: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,  # noqa: A002
    drop_constant: Annotated[bool, Parameter(negative="")] = False,
    rows: int | None = None,
    halves: int = 20,
    seed: int = 0,
) -> None:
    """The scores of the codes in FIRST and SECOND, their difference, its interval and p-value.

    Parameters
    ----------
    first, second
        Files as `unweave score` reads them, of the same rows: their factors must be equal.
    metrics
        Only these, by their short names; without it, all.
    json
        Print JSON instead of a table.
    drop_constant
        Leave out factors that never vary, instead of refusing them.
    rows
        Compare only this many rows, drawn without repeats.
    halves
        Random halves of the rows from which the interval is found.
    seed
        Of all draws.
    """
    one, other = (
        read_table(file, drop_constant=drop_constant, rows=rows, seed=seed)
        for file in (first, second)
    )
    if not np.array_equal(one.factors, other.factors):
        raise ValueError(
            f"the factors in {first} and {second} differ (shapes {one.factors.shape} and "
            f"{other.factors.shape}): both must hold codes of the same rows in the same order"
        )
    with patience("comparing"):
        found = compare_codes(
            one.codes,
            other.codes,
            one.factors,
            metrics=metrics,
            factor_names=one.names,
            factor_kinds=one.kinds,
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
            }
        )
        return
    title = f"{first.name} less {second.name}: {found.n_samples:,} rows"
    print_table(title, *found.rows(first.name, second.name))
    out.print(
        "p: how likely a difference as large comes from the sample of rows alone; other seeds of "
        "training are not in it.",
        style="dim",
        highlight=False,
    )
