"""The answer in words, drawn from the numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from unweave._objects import object_in_memory
from unweave.metrics import LABEL_FREE
from unweave.metrics.catalogue import is_best_when_small
from unweave.metrics.catalogue import title as metric_name
from unweave.models.objectives import OBJECTIVES
from unweave.reports.published import PAPER_RANGE
from unweave.statistics.permutation import LEVEL
from unweave.statistics.trends import Trend, compare_seeds, correlate, trend

__all__ = [
    "Findings",
    "find",
    "label_objectives",
    "scaled_cells",
]

_MOST_LABELS = 15
_MOST_BEST = 2  # metrics of which the headline names the best objective


@dataclass(frozen=True)
class Findings:
    """Sentences of the report: a headline, and what stands behind it."""

    headline: str
    sentences: tuple[str, ...]
    metrics_agree: str


def label_objectives(table: pl.DataFrame) -> pl.DataFrame:
    """The table with columns ``key`` (``beta_vae(4)``) and ``label`` (β-VAE, β = 4).

    Metrics that need no factors have no random mixture of the factors to be compared with.
    """

    def key(row) -> str:
        strength = "" if row["strength"] is None else f"({row['strength']:g})"
        options = f"({row['options']})" if row["options"] else ""
        return row["objective"] + strength + options

    def label(row) -> str:
        name = row["objective"]  # of one from elsewhere, whose class made the rows
        objective = OBJECTIVES.get(name) or object_in_memory(name)
        return objective.label_of(row["strength"], row["options"] or "")

    if "options" not in table.columns:  # of earlier versions
        table = table.with_columns(pl.lit(None, pl.String).alias("options"))
    columns = pl.struct("objective", "strength", "options")
    return table.with_columns(
        columns.map_elements(key, return_dtype=pl.String).alias("key"),
        columns.map_elements(label, return_dtype=pl.String).alias("label"),
        pl.when(~pl.col("metric").str.replace(r"\(.*", "").is_in(LABEL_FREE)).then(
            pl.col("^(mixture|smooth)_.*$")
        ),
    )


def scaled_cells(table: pl.DataFrame) -> pl.DataFrame:
    """The runs of the longest training, by which the effect of compute is judged.

    For a study of beta-VAEs, the objectives that the paper follows; for very many objectives,
    the middle strength of each kind.
    """
    last = table.group_by("run").agg(pl.col("step").max().alias("last_step"))
    longest = last["last_step"].max()
    runs = last.filter(pl.col("last_step") == longest)["run"].implode()
    chosen = table.filter(pl.col("run").is_in(runs))
    # A sweep over many strengths is for the relation between metrics: compute is judged on the
    # objectives that the paper follows, where the study has them.
    followed = chosen.filter(pl.col("key").is_in(["vae", "beta_vae(4)"]))
    if followed.height and set(chosen["objective"]) <= {"vae", "beta_vae"}:
        return followed
    if chosen["key"].n_unique() <= _MOST_LABELS:
        return chosen
    strengths = chosen.group_by("objective").agg(pl.col("strength").unique().sort())
    middle = strengths.with_columns(
        pl.col("strength").list.get((pl.col("strength").list.len() - 1) // 2)
    )
    return chosen.join(middle, on=["objective", "strength"], how="semi", nulls_equal=True)


def find(table: pl.DataFrame) -> Findings:
    """Findings of a labelled table (:func:`label_objectives`)."""
    cells = scaled_cells(table)
    trends = {
        (label, metric): trend(rows)
        for (label, metric), rows in _groups(cells)
        if rows["step"].n_unique() > 1
    }
    sentences = [_trend_sentence(*key, found, cells) for key, found in trends.items()]
    sentences += _comparisons(cells)
    if trends:
        return Findings(_trend_headline(trends, cells), tuple(sentences), _agreement(table))
    best = [_best_sentence(metric, rows) for (metric,), rows in _by_metric(cells)]
    headline = _best_headline(best) + _floor_sentence(cells)
    if len(best) > _MOST_BEST:
        sentences = [*(text for text, _ in best if text), *sentences]
    return Findings(headline, tuple(sentences), _agreement(table))


def _groups(cells: pl.DataFrame):
    return cells.group_by("label", "metric", maintain_order=True)


def _by_metric(cells: pl.DataFrame):
    return cells.group_by("metric", maintain_order=True)


def _trend_headline(trends: dict[tuple[str, str], Trend], cells: pl.DataFrame) -> str:
    first, last = min(cells["step"]), max(cells["step"])
    rising = [k for k, t in trends.items() if t.is_significant and t.correlation > 0]
    falling = [k for k, t in trends.items() if t.is_significant and t.correlation < 0]
    flat = [k for k, t in trends.items() if not t.is_significant]
    parts = []
    if rising:
        parts.append(f"{_join(rising)} {_verb(rising, 'rise')} with training compute")
    if falling:
        what = "it" if rising else "training compute"
        parts.append(f"{_join(falling)} {_verb(falling, 'fall')} with {what}")
    if flat:
        parts.append(f"for {_join(flat)} no trend is significant")
    floor = _floor_sentence(cells)
    return f"From {first:,} to {last:,} steps, {'; '.join(parts)}. {floor}"


def _best_headline(best: list[tuple[str, bool]]) -> str:
    """For few metrics, which objective is best; for many, in how many the best is significant."""
    if len(best) <= _MOST_BEST:
        return "".join(f"{text} " for text, _ in best if text)
    n_significant = sum(is_significant for _, is_significant in best)
    many = "none" if n_significant == 0 else f"{n_significant}"
    return (
        f"The best objective is significantly better than the runner-up in {many} of {len(best)} "
        "metrics. "
    )


def _best_sentence(metric: str, rows: pl.DataFrame) -> tuple[str, bool]:
    """Which objective scores best at the one milestone, and whether that is significant."""
    means = rows.group_by("label", maintain_order=True).agg("value").to_dicts()
    sign = 1 if is_best_when_small(metric) else -1
    ranked = sorted(means, key=lambda row: sign * float(np.mean(row["value"])))
    highest, above = ("lowest", "below") if is_best_when_small(metric) else ("highest", "above")
    if len(ranked) < 2:
        return "", False
    first, second = ranked[:2]
    found = compare_seeds(np.array(first["value"]), np.array(second["value"]))
    is_significant = found is not None and found.is_significant
    evidence = (
        f"{above} {second['label']} by more than seeds can explain "
        f"(Welch's p = {_p(found.p_value)})"
        if found is not None and is_significant
        else f"but not significantly {above} {second['label']} ({np.mean(second['value']):.3f})"
    )
    n = len(first["value"])
    return (
        f"{metric_name(metric)} is {highest} for {first['label']} ({np.mean(first['value']):.3f}, "
        f"{n} seed{'s' if n > 1 else ''}), {evidence}."
    ), is_significant


def _floor_sentence(cells: pl.DataFrame) -> str:
    """Whether the models beat codes that know every factor and separate none."""
    last = cells.filter(pl.col("step") == cells["step"].max(), pl.col("mixture_mean").is_not_null())
    if not last.height:
        return (
            "None of these metrics needs factors: they say how dependent the latents are, and "
            "nothing of what they mean."
        )
    above = [
        (label, metric)
        for (label, metric), rows in _groups(last)
        if (rows["low"] > rows["mixture_mean"] + 2 * rows["mixture_sd"]).all()
    ]
    everything = list(_groups(last))
    if not above:
        return (
            "At the end no score is clearly above what a random linear mixture of the factors "
            "gets: at this size, no model is shown to disentangle."
        )
    if len(above) == len(everything):
        return (
            "At the end all are clearly above what a random linear mixture of the factors scores."
        )
    return (
        f"At the end only {_join(above)} {_verb(above, 'is')} clearly above what a random linear "
        "mixture of the factors scores."
    )


def _trend_sentence(label: str, metric: str, found: Trend, cells: pl.DataFrame) -> str:
    name = metric_name(metric)
    seeds = f"{found.n_seeds} seed{'s' if found.n_seeds > 1 else ''}"
    evidence = (
        f"mean rank correlation with steps {found.correlation:+.2f} over {seeds}, "
        f"p = {_p(found.p_value)}"
    )
    if found.n_seeds > 1:
        change = f"change {found.change:+.3f}, 95 % interval [{found.low:+.3f}, {found.high:+.3f}]"
    else:
        change = f"change {found.change:+.3f}, and one seed gives no interval"
    if found.is_significant:
        verb = "rises" if found.correlation > 0 else "falls"
        return (
            f"{name} of {label} {verb} from {found.first:.3f} to {found.last:.3f} ({change}; "
            f"{evidence})."
        )
    return (
        f"{name} of {label} goes from {found.first:.3f} to {found.last:.3f}, but the trend is not "
        f"significant ({change}; {evidence})."
    )


def _comparisons(cells: pl.DataFrame) -> list[str]:
    last = cells.filter(pl.col("step") == cells["step"].max())
    labels = last["label"].unique(maintain_order=True).to_list()
    sentences: list[str] = []
    if len(labels) != 2:
        return sentences
    for metric in last["metric"].unique(maintain_order=True):
        a, b = (
            last.filter((pl.col("label") == label) & (pl.col("metric") == metric))[
                "value"
            ].to_numpy()
            for label in labels
        )
        found = compare_seeds(a, b)
        if found is None:
            continue
        name = metric_name(metric)
        verdict = (
            f"{labels[0] if found.difference > 0 else labels[1]} scores higher in {name}"
            if found.is_significant
            else f"in {name}, {labels[0]} and {labels[1]} do not differ significantly"
        )
        sentences.append(
            f"At {last['step'][0]:,} steps {verdict} (difference of means "
            f"{abs(found.difference):.3f}, Welch's p = {_p(found.p_value)}); the spread over "
            f"seeds (standard deviation) is {a.std(ddof=1):.3f} and {b.std(ddof=1):.3f}."
        )
    return sentences


def _agreement(table: pl.DataFrame) -> str:
    wide = table.pivot(on="metric", index=["run", "step"], values="value").drop_nulls()
    if not {"mig", "sap"} <= set(wide.columns):
        return ""
    found = correlate(wide["mig"].to_numpy(), wide["sap"].to_numpy())
    if found is None:
        return "Too few models to say whether the metrics agree."
    related = "are positively related" if found.correlation > 0 else "are negatively related"
    verdict = related if found.p_value < LEVEL else "show no significant relation"
    sentence = (
        f"Over {found.n_models} models MIG and SAP {verdict} (rank correlation "
        f"{found.correlation:+.2f}, p = {_p(found.p_value)}; milestones of one run count as "
        "models, which makes p too small)."
    )
    if set(table["dataset"]) != {"dsprites"}:
        return sentence
    (mig_low, mig_high), (sap_low, sap_high) = PAPER_RANGE["mig"], PAPER_RANGE["sap"]
    return (
        f"{sentence} The paper's about 90 models span MIG "
        f"{mig_low} to {mig_high} and SAP {sap_low} to {sap_high}, with a clear positive relation."
    )


def _join(keys: list[tuple[str, str]]) -> str:
    names = [f"{metric_name(metric)} of {label}" for label, metric in keys]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _verb(keys: list, verb: str) -> str:
    if verb == "is":
        return "is" if len(keys) == 1 else "are"
    return f"{verb}s" if len(keys) == 1 else verb


def _p(value: float) -> str:
    return "0.001 or less" if value < 0.001 else f"{value:.2g}"
