"""`unweave score`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import unweave
from unweave.cli.console import counted, out, print_json, print_note, print_table
from unweave.cli.options import Count, Flag, Json, Names, Patterns, Seed, Sizes, Wide

if TYPE_CHECKING:
    from unweave.cli.arrays import Table
    from unweave.metrics import Scores

__all__ = ["score"]

_OF_FACTORS = ("adjusted", "mixture", "smooth", "perfect")
"""Columns that say nothing of codes without factors."""


def score(
    file: Path | None = None,
    factors_file: Path | None = None,
    *,
    codes: Patterns | None = None,
    factors: Patterns | None = None,
    metrics: Names | None = None,
    json: Json = False,  # noqa: A002
    wide: Wide = False,
    groups: Sizes | None = None,
    drop_constant: Flag = False,
    rows: Count | None = None,
    seed: Seed = 0,
    dictionary: list[Path] | None = None,
    features: Path | None = None,
    signed: Flag = False,
) -> None:
    """Every metric of the codes in FILE, each with its chance level and interval.

    With --dictionary, scores of a sparse autoencoder or another dictionary by known features.

    Parameters
    ----------
    file
        An .npz, .csv, .tsv, .parquet or .h5ad with codes and factors; or the codes alone, as .npy.
        Without factors, the metrics that need none are computed. With --dictionary, an .npz with
        `points`, `codes` or `activations` of the same rows; or codes or points alone, as .npy.
    factors_file
        The factors of the same rows, where FILE has the codes alone.
    codes
        Arrays or columns that are codes, as 'z*' or X_pca. By default: the array `codes`; columns
        named z0, code_1 or latent_2; the only entry of obsm.
    factors
        Arrays or columns that are factors, as shape,hue. By default: the array `factors`; columns
        named factor_shape. Factors may be words. Columns that are codes are left out of a pattern.
    metrics
        Metrics to compute: names that `unweave metrics` lists, as mig,dci_disentanglement, or
        package.module:MyMetric; by default all.
    json
        Print JSON instead of a table.
    wide
        Print all columns in one table, however wide it is.
    groups
        Sizes of consecutive groups of latents that are one unit each, as 2,2,1, in the metrics that
        have units; by default those of FILE, else each latent.
    drop_constant
        Leave out factors that never vary, instead of refusing them.
    rows
        Number of rows to draw without repeats; by default all.
    seed
        Seed for drawing rows and for the metrics.
    dictionary
        A folder or safetensors file of SAELens, or an .npz or .npy whose rows are directions. Given
        more than once, how far dictionaries agree is scored as well.
    features
        The true features of --dictionary: directions as rows, in an .npz that may have
        `activations`, `points` and `parents` besides; or as .npy.
    signed
        Take a direction and its opposite for two, with --dictionary.
    """
    if dictionary is not None:
        _refuse_beside_dictionary(
            {
                "FACTORS-FILE": factors_file, "--codes": codes, "--factors": factors,
                "--metrics": metrics, "--groups": groups, "--drop-constant": drop_constant or None,
            }
        )  # fmt: skip
        from unweave.cli.dictionaries import score_dictionaries

        score_dictionaries(
            dictionary, features, file, signed=signed, rows=rows, seed=seed, json=json, wide=wide
        )
        return
    if features is not None or signed:
        which = "--features" if features is not None else "--signed"
        raise ValueError(f"{which} says something of a dictionary only: name one with --dictionary")
    if file is None:
        raise ValueError("FILE is missing: give codes to score, or a dictionary with --dictionary")
    from unweave.cli.arrays import Choice, read_codes
    from unweave.metrics import evaluate
    from unweave.metrics.catalogue import chosen

    asked = None if metrics is None else chosen(metrics)
    label_free = asked and not any(one.metric.needs_factors for one in asked.values())
    choice = Choice(
        codes,
        factors,
        drop_constant=drop_constant,
        rows=rows,
        seed=seed,
        factors_needed=False if label_free else None,
    )
    table = read_codes(file, factors_file, choice)
    kinds, taken = table.kinds_and_notes()
    sizes = (groups or table.groups) if table.factors is not None else None
    scores = evaluate(
        table.codes,
        table.factors,
        metrics=asked,
        factor_names=table.names or None,
        factor_kinds=kinds,
        groups=sizes,
        seed=seed,
    )
    if json:
        print_json(_content(file, table, scores, taken))
        return
    first = next(iter(scores.values()))
    size = f"{counted(first.n_samples, 'row')}, {counted(table.codes.shape[1], 'latent')}"
    title = f"{file.name}: {size}, seed {seed}"
    if table.factors is None:
        print_table(title, *_without(_OF_FACTORS, *scores.rows()), wide=wide)
        print_note(
            "interval: 95 %. chance: each latent permuted by itself. 0 is the best.", style="dim"
        )
    else:
        print_table(title, *scores.rows(), wide=wide)
        print_note(
            "interval: 95 %. adjusted: 0 is chance, 1 the best. chance: factors permuted. mixture, "
            "smooth: random projections, random smooth features of the factors, as wide as the "
            "codes. perfect: one latent a factor.",
            style="dim",
        )
        _print_factors(scores, table.names, wide=wide)
    notes = [*taken, *scores.notes]
    if sizes:
        listed = ", ".join(name for name, one in scores.items() if "groups" in one.settings)
        notes.append(f"groups of {', '.join(map(str, sizes))} latents are the units of: {listed}")
    if table.factors is None:
        notes.append(f"{file} has no factors: metrics that need them are left out")
    if table.dropped:
        notes.append(f"factors left out because they never vary: {', '.join(table.dropped)}")
    for note in notes:
        print_note(f"note: {note}")


def _refuse_beside_dictionary(given: Mapping[str, object]) -> None:
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name} says nothing of a dictionary: leave it out, or --dictionary")


def _content(file: Path, table: Table, scores: Scores, taken: list[str]) -> dict[str, Any]:
    first = next(iter(scores.values()))
    return {
        "unweave": unweave.__version__,
        "file": str(file),
        "n": first.n_samples,
        "n_latents": int(table.codes.shape[1]),
        "dead_latents": list(first.dead_latents),
        "dropped_factors": table.dropped,
        "skipped": scores.skipped,
        "factor_dependence": scores.dependence and scores.dependence.to_dict(),
        "notes": [*taken, *scores.notes],
        "metrics": scores.to_dict(),
    }


def _without(
    left_out: Sequence[str], columns: list[str], rows: list[list[str]]
) -> tuple[list[str], list[list[str]]]:
    """A table without some of its columns."""
    kept = [k for k, column in enumerate(columns) if column not in left_out]
    return [columns[k] for k in kept], [[row[k] for k in kept] for row in rows]


def _print_factors(scores: Scores, names: list[str], *, wide: bool) -> None:
    each = {name: s.per_factor for name, s in scores.items() if list(s.per_factor) == names}
    if each:
        out.print()
        rows = [[name, *(f"{v:.4f}" for v in values.values())] for name, values in each.items()]
        print_table("each factor", ["metric", *names], rows, wide=wide)
