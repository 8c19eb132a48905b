"""Codes of any dataset scored: what can be, and why the rest is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unweave._check import check_codes, constant_columns
from unweave.datasets import FactorDataset, ImageDataset
from unweave.metrics import LABEL_FREE, Noise, Sample, Score, Scores
from unweave.metrics.catalogue import Choice, MetricLike, chosen
from unweave.metrics.evaluation import evaluate_sample, unsuitable

__all__ = ["Scorable", "Scored", "scorable"]


@dataclass(frozen=True)
class Scored:
    """Scores of codes, and why others are left out."""

    scores: Scores
    left_out: tuple[str, ...]
    """Sentences."""


@dataclass(frozen=True)
class Scorable:
    """What codes of some rows of a dataset can be scored by.

    Attributes
    ----------
    factors
        Values (rows, factors) of the scored factors that vary among the rows; None if there are
        none.
    names, kinds
        Names and kinds of these factors.
    metrics
        Those that were asked for and can be computed, by their keys; if that leaves none, those
        that need no factors.
    left_out
        Sentences that say which factors and metrics are left out, and why.
    """

    factors: np.ndarray | None
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    metrics: Mapping[str, Choice]
    left_out: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of :func:`~unweave.metrics.evaluate` that describe the factors."""
        if self.factors is None:
            return {}
        return {"factor_names": list(self.names), "factor_kinds": list(self.kinds)}

    def score(
        self,
        codes: np.ndarray,
        *,
        noise: Noise,
        seed: int,
        metrics: Mapping[str, Choice] | None = None,
        groups: tuple[int, ...] = (),
    ) -> Scored:
        """The scores of codes (rows, latents); a metric that cannot be computed is left out.

        With ``groups``, sizes of groups of latents, these are the units where a metric has some.

        Raises
        ------
        ValueError
            If the codes are not finite numbers.
        """
        asked = self.metrics if metrics is None else metrics
        check_codes(codes)
        units = groups if groups and self.factors is not None else None
        try:
            sample = Sample.of(codes, self.factors, groups=units, seed=seed, **self.options)
        except ValueError as error:
            return self._scored({}, dict.fromkeys(asked, str(error)))
        reasons = unsuitable(asked, sample)
        suited = {key: one for key, one in asked.items() if key not in reasons}
        try:
            scores = evaluate_sample(sample, suited, noise)
            return self._scored(scores, reasons, scores.skipped)
        except ValueError:
            pass  # with few rows some metrics have no noise: they are found one by one
        found: dict[str, Score] = {}
        for key, one in suited.items():
            try:
                found |= evaluate_sample(sample, {key: one}, noise)
            except ValueError as error:
                reasons[key] = str(error)
        return self._scored(found, reasons)

    def _scored(
        self,
        scores: Mapping[str, Score],
        reasons: Mapping[str, str],
        failed: Mapping[str, str] | None = None,
    ) -> Scored:
        """With a sentence for each reason that metrics are left out for."""
        sentences = [
            f"{', '.join(key for key in reasons if reasons[key] == reason)} left out: {reason}"
            for reason in dict.fromkeys(reasons.values())
        ]
        sentences += [f"{key} left out: it {reason}" for key, reason in (failed or {}).items()]
        scores = scores if isinstance(scores, Scores) else Scores(scores)
        return Scored(scores, (*self.left_out, *sentences))


def scorable(dataset: ImageDataset, rows: np.ndarray, metrics: Sequence[MetricLike]) -> Scorable:
    """What codes of the rows can be scored by, of the ``metrics`` asked for."""
    asked = chosen(metrics)
    if not isinstance(dataset, FactorDataset):
        return _label_free(asked, f"{dataset.name} has no factors")
    factors = dataset.factors(rows)
    constant = set(constant_columns(factors).tolist())
    unknown = set(np.flatnonzero(~np.isfinite(factors).all(axis=0)).tolist())
    names, kinds = dataset.factor_names, dataset.factor_kinds
    left_out = tuple(
        f"factors left out because {why} among the images drawn: "
        + ", ".join(names[k] for k in sorted(columns))
        for columns, why in (
            (unknown, "not all of their values are known"),
            (constant - unknown, "they do not vary"),
        )
        if columns
    )
    kept = [k for k in range(len(names)) if k not in constant | unknown]
    if not kept:
        label_free = _label_free(asked, f"{dataset.name} has no factor to score them by")
        return replace(label_free, left_out=(*left_out, *label_free.left_out))
    return Scorable(
        factors[:, kept] if left_out else factors,
        tuple(names[k] for k in kept),
        tuple(kinds[k] for k in kept),
        asked,
        left_out,
    )


def _label_free(asked: Mapping[str, Choice], reason: str) -> Scorable:
    """Metrics that need no factors: those asked for, or all where none of them is."""
    needing = [key for key, one in asked.items() if one.metric.needs_factors]
    kept = {key: one for key, one in asked.items() if key not in needing}
    sentence = f"{', '.join(needing)} left out: {reason}"
    return Scorable(None, (), (), kept or chosen(LABEL_FREE), (sentence,) if needing else ())
