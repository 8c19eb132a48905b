"""`unweave score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

import unweave
from unweave.cli.arrays import Table, read_table
from unweave.cli.console import out, print_json, print_table
from unweave.metrics import Scores, evaluate

__all__ = ["score"]


def score(
    file: Path,
    *,
    metrics: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,  # noqa: A002
    drop_constant: Annotated[bool, Parameter(negative="")] = False,
    rows: int | None = None,
    seed: int = 0,
) -> None:
    """Every metric of the codes in FILE, each with its chance level and interval.

    Parameters
    ----------
    file
        An .npz with arrays `codes` (n, d) and `factors` (n, k), and optionally `factor_names` and
        `factor_kinds` (k words each; kinds are categorical, ordinal, circular or continuous).
    metrics
        Only these, by their short names, as mig or dci_disentanglement; without it, all.
    json
        Print JSON instead of a table.
    drop_constant
        Leave out factors that never vary, instead of refusing them.
    rows
        Score only this many rows, drawn without repeats.
    seed
        Of all draws.
    """
    table = read_table(file, drop_constant=drop_constant, rows=rows, seed=seed)
    scores = evaluate(
        table.codes,
        table.factors,
        metrics=metrics,
        factor_names=table.names,
        factor_kinds=table.kinds,
        seed=seed,
    )
    if json:
        print_json(_content(file, table, scores))
        return
    first = next(iter(scores.values()))
    n_latents = table.codes.shape[1]
    print_table(
        f"{file.name}: {first.n_samples:,} rows, {n_latents} latents, seed {seed}", *scores.rows()
    )
    out.print(
        "interval: 95 %. adjusted: 0 is chance, 1 the best. chance: factors permuted. mixture, "
        "smooth: random projections, random smooth features of the factors, as wide as the codes. "
        "perfect: one latent a factor.",
        style="dim",
        highlight=False,
    )
    _print_factors(scores, table.names)
    notes = list(scores.notes)
    if table.dropped:
        notes.append(f"factors left out because they never vary: {', '.join(table.dropped)}")
    for note in notes:
        out.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)


def _content(file: Path, table: Table, scores: Scores) -> dict[str, Any]:
    first = next(iter(scores.values()))
    return {
        "unweave": unweave.__version__,
        "file": str(file),
        "n": first.n_samples,
        "n_latents": int(table.codes.shape[1]),
        "dead_latents": list(first.dead_latents),
        "dropped_factors": table.dropped,
        "skipped": scores.skipped,
        "metrics": scores.to_dict(),
    }


def _print_factors(scores: Scores, names: list[str]) -> None:
    each = {name: s.per_factor for name, s in scores.items() if list(s.per_factor) == names}
    if each:
        rows = [[name, *(f"{v:.4f}" for v in values.values())] for name, values in each.items()]
        print_table("each factor", ["metric", *names], rows)
