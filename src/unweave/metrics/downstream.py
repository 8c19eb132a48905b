"""Downstream accuracy, and how few samples reach it (statistical efficiency)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from unweave._check import check_choice, check_positive
from unweave._parallel import in_threads
from unweave.metrics._predictors import (
    HeldOut,
    Split,
    hold_out,
    labelled,
    logistic_regression,
    scaled_like,
)
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement
from unweave.metrics.scores import Scores

__all__ = ["Downstream", "downstream_accuracy"]

PREDICTORS = ("logistic_regression", "logistic_regression_cv", "gradient_boosting")


@dataclass(frozen=True, kw_only=True)
class Downstream(Metric):
    """Accuracy of a predictor on held-out rows, and how few rows reach it."""

    names = ("downstream_accuracy", "statistical_efficiency")
    titles = ("downstream accuracy", "statistical efficiency")
    family = "prediction"
    assume_independence = False
    range = "[0, 1]; efficiency from 0"
    bounds: ClassVar[Mapping[str, float | None]] = {"statistical_efficiency": None}
    takes_test = True
    cost = 10

    predictor: str = "logistic_regression"
    """logistic_regression, logistic_regression_cv or gradient_boosting."""
    sizes: Sequence[int] = (10, 100, 1_000, 10_000)
    """Numbers of rows to learn from."""

    def __post_init__(self) -> None:
        check_choice("predictor", self.predictor, PREDICTORS)
        sizes = tuple(sorted(check_positive("sizes", size) for size in self.sizes))
        if not sizes:
            raise ValueError("sizes are empty: give at least one number of rows to learn from")
        object.__setattr__(self, "sizes", sizes)

    @property
    def keep(self) -> tuple[str, ...]:
        """The penalty that is chosen by folds depends on the scale."""
        return ("scale",) if self.predictor == "logistic_regression_cv" else ()

    @property
    def label(self) -> str:
        """The predictor, which is part of the score."""
        return f" ({self.predictor})"

    def settings(self, sample: Sample) -> dict[str, Any]:
        """As JSON has them."""
        return {"predictor": self.predictor, "sizes": list(self.sizes)}

    def cost_of(self, sample: Sample) -> int:
        """Other predictors are more expensive."""
        return self.cost if self.predictor == "logistic_regression" else 30

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Learn from each number of rows, and judge on the same others."""
        split = hold_out(sample)
        learn_levels, judge_levels = labelled(split[1::2], sample.kinds)
        available = [min(size, len(split[0])) for size in self.sizes]
        found = {
            size: _accuracy_of_all(sample)
            if size == len(split[0]) and self.predictor == "logistic_regression"
            else _accuracies(split, learn_levels, judge_levels, size, self.predictor)
            for size in sorted({*available, min(100, len(split[0]))})
        }
        most, few = found[available[-1]], found[min(100, len(split[0]))]
        extras = {
            f"accuracy_at_{size}": float(found[rows].mean())
            for size, rows in zip(self.sizes, available, strict=True)
            if size == rows
        }
        extras["rows_learnt_from"] = available[-1]
        efficiency = few / np.maximum(most, 1e-12)
        return {
            "downstream_accuracy": Measurement(float(most.mean()), most, extras=extras),
            "statistical_efficiency": Measurement(
                float(few.mean() / max(most.mean(), 1e-12)), efficiency, extras=extras
            ),
        }


def downstream_accuracy(
    codes: object,
    factors: object,
    *,
    predictor: str = "logistic_regression",
    sizes: Sequence[int] = (10, 100, 1_000, 10_000),
    test: tuple[object, object] | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Scores:
    r"""How well factors are predicted: ``downstream_accuracy`` and ``statistical_efficiency``.

    The first, in [0, 1], is the mean over factors on held-out rows, learnt from the largest of
    ``sizes`` that there are rows for (a larger one is cut to all of them); ``extras`` has that of
    each size. The second is the accuracy from 100 samples over that. It rewards a low accuracy in
    the end, and is 1 for noise: read both.

    Parameters
    ----------
    codes, factors
        Arrays (samples, latents) and (samples, factors) of the same rows.
    predictor
        ``logistic_regression`` on standardised codes; ``logistic_regression_cv``, on codes of the
        scale that they have, its penalty chosen by five folds, as disentanglement_lib does, so that
        rescaling a latent changes the score; ``gradient_boosting``, on standardised codes, the
        trees of :func:`~unweave.metrics.disentanglement_completeness_informativeness`.
    sizes
        Numbers of rows to learn from, ascending.
    test
        Codes and factors of other rows to be judged on; else a random third is held out. The rows
        to learn from are then the first ones, else they are drawn.
    factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors.

    References
    ----------
    Locatello et al. (2019), https://arxiv.org/abs/1811.12359, section 5.5.

    >>> rng = np.random.default_rng(0)
    >>> factors = rng.integers(3, size=(600, 2))
    >>> scores = downstream_accuracy(factors.astype(float), factors, noise=None)
    >>> float(scores["downstream_accuracy"])
    1.0
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, test=test, seed=seed)
    return Scores(score(Downstream(predictor=predictor, sizes=sizes), sample, noise))


def _accuracies(split: Split, learn_levels, judge_levels, size: int, predictor: str) -> np.ndarray:
    """Accuracy (factors,) on the rows to be judged on, learnt from the first ``size`` rows."""
    train, judge = split[0][:size], split[2]
    if predictor != "logistic_regression_cv":
        train, judge = scaled_like(train, judge)

    def accuracy(k: int) -> float:
        seen, labels = np.unique(learn_levels[k, :size], return_inverse=True)
        predicted = np.zeros(len(judge), dtype=int)
        if len(seen) > 1:
            predicted = _predicted(train, labels, judge, predictor)
        return float((seen[predicted] == judge_levels[k]).mean())

    return np.array(in_threads(accuracy, range(len(learn_levels))))


def _accuracy_of_all(sample: Sample) -> np.ndarray:
    """Accuracy (factors,), learnt from all rows: with predictors that explicitness has, too."""
    held = HeldOut.of(sample)
    parts = zip(held.models, held.learn_levels, held.judge_levels, strict=True)
    return np.array(
        [
            float(((learn[0] if model is None else model.predict(held.judge)) == true).mean())
            for model, learn, true in parts
        ]
    )


def _predicted(train, labels, judge, predictor: str) -> np.ndarray:
    if predictor == "gradient_boosting":
        from unweave.metrics import _boosting

        columns = [np.ascontiguousarray(part.T, dtype=np.float32) for part in (train, judge)]
        return _boosting.boost(columns[0], labels, int(labels.max()) + 1, columns[1])[1]
    if predictor == "logistic_regression":
        return logistic_regression(train, labels).predict(judge)
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import KFold

    model = LogisticRegressionCV(
        Cs=10,
        cv=KFold(min(5, len(train))),
        scoring="accuracy",
        use_legacy_attributes=False,
        l1_ratios=(0,),
    )
    return model.fit(train, labels).predict(judge)
