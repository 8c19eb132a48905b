"""Explicitness (Ridgeway and Mozer 2018): how well a linear classifier separates levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unweave._check import check_choice
from unweave.metrics._predictors import HeldOut, hold_out, labelled, scaled_like
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = ["Explicitness", "area_under_roc", "explicitness"]

_CLASSIFIERS = ("multinomial", "one_against_rest")


@dataclass(frozen=True, kw_only=True)
class Explicitness(Metric):
    """Mean area under the ROC curve of a linear classifier of all latents."""

    names = ("explicitness",)
    titles = ("explicitness",)
    family = "prediction"
    assume_independence = False
    range = "[0, 1], 0.5 by chance"
    takes_test = True
    cost = 10

    classifier: str = "multinomial"
    """multinomial or one_against_rest."""

    def __post_init__(self) -> None:
        check_choice("classifier", self.classifier, _CLASSIFIERS)

    def settings(self, sample: Sample) -> dict[str, Any]:
        """With the number of rows that the user gave to judge on."""
        return {**self.options, "n_test": len(sample.test[0]) if sample.test else None}

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """The area of each factor, on held-out rows."""
        areas = self._areas(sample)
        return {"explicitness": Measurement(float(np.mean(areas)), np.array(areas))}

    def _areas(self, sample: Sample) -> list[float]:
        if self.classifier == "multinomial":
            held = HeldOut.of(sample)
            parts = zip(held.models, held.learn_levels, held.judge_levels, strict=True)
            return [
                0.5 if model is None else _mean_area(model.probabilities(held.judge), learn, true)
                for model, learn, true in parts
            ]
        split = hold_out(sample)
        train, judge = scaled_like(split[0], split[2])
        pairs = zip(*labelled(split[1::2], sample.kinds), strict=True)
        return [
            _mean_area(_one_against_rest(train, learn, judge), learn, true)
            if np.ptp(learn) > 0
            else 0.5
            for learn, true in pairs
        ]


def explicitness(
    codes: object,
    factors: object,
    *,
    classifier: str = "multinomial",
    test: tuple[object, object] | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""Mean area under the ROC curve of each level against the rest; 0.5 is chance, 1 best.

    A logistic regression on all latents, standardised, learns each factor's levels; for each level
    the area is that of its probability on held-out rows. It says how much a linear map can know,
    not whether latents are separate: a rotation changes nothing.

    Parameters
    ----------
    codes, factors
        Arrays (samples, latents) and (samples, factors) of the same rows.
    classifier
        ``multinomial`` is scikit-learn's default of today; ``one_against_rest`` fits each level by
        itself with liblinear, as scikit-learn did until 2019, and so the papers of that time.
    test
        Codes and factors of other rows to be judged on; else a random third is held out.
    factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors.

    References
    ----------
    Ridgeway and Mozer (2018), https://arxiv.org/abs/1802.05312, section 3.

    >>> factors = np.stack(np.meshgrid(range(3), range(9)), -1).reshape(-1, 2)
    >>> float(explicitness(factors.astype(float), factors % 3, noise=None)) > 0.5
    True
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, test=test, seed=seed)
    return score(Explicitness(classifier=classifier), sample, noise)["explicitness"]


def area_under_roc(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Area (classes,) under the ROC curve of ``scores`` (rows, classes) for ``positive`` rows.

    It is the share of pairs, one positive and one not, that the score puts in the right order.
    nan for a class without both.
    """
    from scipy.stats import rankdata

    n_positive = positive.sum(axis=0)
    n_pairs = n_positive * (len(positive) - n_positive)
    # Class by class, because ranks take several copies.
    ranks = np.array([rankdata(s)[p].sum() for s, p in zip(scores.T, positive.T, strict=True)])
    above = ranks - n_positive * (n_positive + 1) / 2
    return np.where(n_pairs > 0, above / np.maximum(n_pairs, 1), np.nan)


def _one_against_rest(train: np.ndarray, learn: np.ndarray, judge: np.ndarray) -> np.ndarray:
    """Probabilities (rows, levels) from a classifier of each level by itself."""
    from sklearn.linear_model import LogisticRegression

    seen = np.unique(learn)
    models = [
        LogisticRegression(solver="liblinear").fit(train, learn == level)
        for level in (seen[1:] if len(seen) == 2 else seen)
    ]
    probabilities = np.stack([m.predict_proba(judge)[:, 1] for m in models], axis=1)
    if len(seen) == 2:
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
    return probabilities / np.maximum(probabilities.sum(axis=1, keepdims=True), 1e-300)


def _mean_area(probabilities: np.ndarray, learn: np.ndarray, true: np.ndarray) -> float:
    areas = area_under_roc(probabilities, true[:, None] == np.unique(learn))
    areas = areas[~np.isnan(areas)]
    return float(areas.mean()) if areas.size else 0.5
