"""`unweave stress`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import unweave
from unweave.cli.console import (
    out,
    print_json,
    print_line,
    print_note,
    print_table,
    print_texts,
    say,
)
from unweave.cli.options import Json, Names, Seed, Sizes, Wide, Workers, within

if TYPE_CHECKING:
    from unweave.metrics import MetricStress, Stress

__all__ = ["stress"]

_SOON = 60  # seconds that need no announcement


def stress(
    metrics: Names,
    /,
    *,
    codes: Names | None = None,
    rows: Sizes | None = None,
    repeats: Annotated[int, within(1, 100_000)] = 50,
    workers: Workers | None = None,
    json: Json = False,  # noqa: A002
    wide: Wide = False,
    seed: Seed = 0,
) -> None:
    """What METRICS answer on codes of which the answer is known, and how often they are wrong.

    Parameters
    ----------
    metrics
        Metrics to put to the test: names that `unweave metrics` lists, as mig dci_disentanglement,
        or package.module:MyMetric.
    codes
        Known codes, as noise,twice,circle, or package.module:CODE; by default all.
    rows
        Numbers of rows of the codes, at least 100; by default 300, 1000 and 10000.
    repeats
        How often codes are drawn for the error rates; codes of which no rate is asked are drawn 10
        times at most.
    workers
        Number of processes, with one thread each; by default threads of one process.
    json
        Print JSON instead of tables.
    wide
        Print all columns in one table, however wide it is.
    seed
        Seed of all draws.
    """
    from unweave.metrics import stress as run
    from unweave.metrics import stress_seconds
    from unweave.metrics.catalogue import chosen

    asked = chosen(metrics)
    options = {"codes": codes, "rows": rows or (300, 1_000, 10_000), "repeats": repeats}
    seconds = stress_seconds(asked, **options, seed=seed)  # type: ignore[arg-type]
    if seconds > _SOON:
        say(
            f"this takes about {_duration(seconds)} of one core; --rows 300 1000 --repeats 20 "
            "takes less",
            style="dim",
        )
    found = run(asked, **options, workers=workers, seed=seed)  # type: ignore[arg-type]
    if json:
        print_json({"unweave": unweave.__version__, "metrics": found.to_dict()})
        return
    for i, one in enumerate(found.values()):
        if i:
            out.print()
        _print_one(one, wide=wide)
    _print_legend(found)


def _print_one(one: MetricStress, *, wide: bool) -> None:
    counted_rows = ", ".join(f"{n:,}" for n in one.rows)
    title = f"{one.name}: {counted_rows} rows, {one.n_repeats} repeats, seed {one.seed}"
    laws, definitions, rates = one.law_rows(), one.definition_rows(), one.rate_rows()
    print_line(title, style="bold")
    if laws[1]:
        print_table("what every sound metric answers", *laws, n_left=2, n_keys=2, wide=wide)
        out.print()
    if definitions[1]:
        largest = f"what definitions differ about, {max(one.rows):,} rows"
        print_table(largest, *definitions, n_left=2, wide=wide)
        out.print()
    print_table("how often it is wrong", *rates, wide=wide)
    for fault in one.faults or ("none",):
        print_note(f"fault: {fault}" if fault != "none" else "faults: none")


def _print_legend(found: Stress) -> None:
    """What the numbers are, and what the codes are that definitions differ about."""
    print_note(
        "adj.: chance taken out. Near the most or 0: the value. Others: the shift from the other "
        "code (as: its mean size), in units of the distance from noise to the perfect code. "
        "!: not what it should be. Rates with 95 % intervals, at the level 0.05.",
        style="dim",
    )
    codes = {answer.code.name: answer.code for one in found.values() for answer in one.answers}
    texts = [
        (code.name, code.about, code.reason)
        for code in codes.values()
        if code.finding == "definition"
    ]
    if texts:
        out.print()
        print_texts(None, ["code", "what it is", "why metrics differ"], texts)


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 100 else f"{minutes / 60:.1f} hours"
