"""What the scores of encoders do and do not show, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from unweave.encoders.loading import kind_of
from unweave.metrics.catalogue import title as metric_name
from unweave.metrics.comparison import Difference, difference
from unweave.statistics.permutation import LEVEL
from unweave.statistics.trends import RankOrder, rank_order

__all__ = ["Pair", "compare_pairs", "headline", "kind_of_result", "scale_sentences"]

_PROTOCOLS = {"paper": "the paper's protocol", "sound": "the sound protocol"}


@dataclass(frozen=True)
class Pair:
    """Two encoders on the same rows."""

    first: str
    second: str
    protocol: str
    metric: str
    found: Difference

    @property
    def verdict(self) -> str:
        """Which is higher, if the difference is significant."""
        if self.found.p_value >= LEVEL:
            return "not significantly different"
        return f"{self.first if self.found.difference > 0 else self.second} is higher"


def kind_of_result(result: Mapping[str, Any]) -> str:
    """What a run's encoder is: what its name says, and what its card says of one from outside."""
    kind = kind_of(result["label"])
    return result["card"].get("kind", kind) if kind == "pretrained" else kind


def compare_pairs(results: list[dict[str, Any]]) -> list[Pair]:
    """Each pretrained encoder with its own random weights, and with the next larger one."""
    by_label: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        by_label.setdefault(result["label"], []).append(result)
    pretrained = sorted(
        (runs[0] for runs in by_label.values() if kind_of_result(runs[0]) == "pretrained"),
        key=lambda result: result["card"]["parameters"] or 0,
    )
    couples = [(r, control) for r in pretrained for control in by_label.get(_control(r), [])]
    couples += [(b, a) for a, b in zip(pretrained, pretrained[1:], strict=False)]
    return [pair for first, second in couples for pair in _pairs(first, second)]


def scale_sentences(rows: pl.DataFrame) -> list[str]:
    """How each metric goes with parameters: of pretrained families, and of random weights."""
    sentences = []
    for (protocol, metric), own in rows.group_by("protocol", "metric", maintain_order=True):
        for kind, words in (("pretrained", ""), ("random", " with random weights")):
            for family, cells in _families(own, kind).items():
                order = rank_order(cells["parameters"].to_numpy(), cells["value"].to_numpy())
                if order is not None:
                    name = metric_name(metric)
                    what = f"In {_PROTOCOLS[str(protocol)]}, {name} of {family}{words}"
                    sentences.append(_order_sentence(what, order))
    return sentences


def headline(rows: pl.DataFrame, pairs: list[Pair], metric: str) -> list[str]:
    """The answer, for each protocol a sentence or two."""
    sentences = []
    name = metric_name(metric)
    chosen = rows.filter(pl.col("metric") == metric)
    for (protocol,), own in chosen.group_by("protocol", maintain_order=True):
        pretrained = own.filter(pl.col("kind") == "pretrained")
        if not pretrained.height:
            continue
        values = pretrained["value"].to_numpy()
        where = f"In {_PROTOCOLS[str(protocol)]} {_encoders(len(values))}"
        if pretrained["smooth_mean"].null_count():  # a metric that needs no factors
            text = f"{where} {_range(values)} in {name}, of which 0 is the best."
            sentences.append(text + _against_control(pairs, str(protocol), metric))
            continue
        mean, sd = (pretrained[f"smooth_{of}"].to_numpy().mean() for of in ("mean", "sd"))
        band = pretrained["smooth_mean"] + 2 * pretrained["smooth_sd"]
        above = int((pretrained["low"] > band).sum())
        text = (
            f"{where} {_range(values)} in {name}; random smooth features of the factors, as many, "
            f"score {mean:.3f} ± {sd:.3f}; clearly above that: {_of(above, len(values))}."
        )
        sentences.append(text + _against_control(pairs, str(protocol), metric))
    return sentences


def _against_control(pairs: list[Pair], protocol: str, metric: str) -> str:
    own = [
        p for p in pairs
        if (p.protocol, p.metric) == (protocol, metric) and kind_of(p.second) == "random"
    ]  # fmt: skip
    if not own:
        return ""
    higher = [p for p in own if p.found.p_value < LEVEL and p.found.difference > 0]
    lower = [p for p in own if p.found.p_value < LEVEL and p.found.difference < 0]
    return (
        f" Against the same networks with random weights, training made the score higher in "
        f"{_of(len(higher), len(own))} pairs of networks and seeds, and lower in "
        f"{_of(len(lower), len(own))}."
    )


def _order_sentence(what: str, order: RankOrder) -> str:
    verdict = "goes up" if order.correlation > 0 else "goes down"
    if not order.is_significant:
        verdict = "shows no significant order by size"
    else:
        verdict += " with size"
    power = (
        f"with {order.n_models} models no order at all has a p-value below {order.least_p:.2g}"
        if order.least_p >= LEVEL
        else f"with {order.n_models} models the best order has p = {order.least_p:.2g}"
    )
    return (
        f"{what} {verdict} (rank correlation with parameters {order.correlation:+.2f}, exact "
        f"p = {order.p_value:.2g}; {power})."
    )


def _families(rows: pl.DataFrame, kind: str) -> dict[str, pl.DataFrame]:
    """Mean scores of each encoder over its seeds, by family."""
    own = rows.filter(pl.col("kind") == kind).with_columns(
        family=pl.col("encoder").str.strip_prefix("random:").str.split(":").list.first()
    )
    cells = own.group_by("family", "encoder", maintain_order=True).agg(
        pl.col("parameters").first(), pl.col("value").mean()
    )
    return {str(f): g for (f,), g in cells.group_by("family", maintain_order=True)}


def _control(result: dict[str, Any]) -> str:
    return f"random:{result['label']}"


def _pairs(first: dict[str, Any], second: dict[str, Any]) -> list[Pair]:
    pairs = []
    for protocol in first["protocols"]:
        a, b = (r["protocols"][protocol]["readouts"].get("raw", {}) for r in (first, second))
        for metric in (m for m in a.get("halves", {}) if m in b.get("halves", {})):
            values = [r["scores"][metric]["value"] for r in (a, b)]
            halves = [np.array(r["halves"][metric]) for r in (a, b)]
            found = difference(values[0], values[1], halves[0], halves[1])
            pairs.append(Pair(first["label"], _named(second), protocol, metric, found))
    return pairs


def _named(result: dict[str, Any]) -> str:
    seed = result["description"]["seed"]
    is_random = kind_of(result["label"]) == "random"
    return f"{result['label']}, seed {seed}" if is_random else result["label"]


def _encoders(n: int) -> str:
    return "the pretrained encoder scores" if n == 1 else f"the {n} pretrained encoders score"


def _range(values: np.ndarray) -> str:
    low, high = f"{values.min():.3f}", f"{values.max():.3f}"
    return low if low == high else f"{low} to {high}"


def _of(count: int, total: int) -> str:
    return f"none of {total}" if count == 0 else f"{count} of {total}"
