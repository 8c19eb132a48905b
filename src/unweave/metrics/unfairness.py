"""Unfairness (Locatello et al. 2019): whether predictions of a factor change with another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from unweave._check import check_choice, check_positive
from unweave._parallel import in_threads
from unweave.metrics._information import factor_levels
from unweave.metrics._interventions import GROUPING
from unweave.metrics._predictors import logistic_regression, scaled_like
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Measurement, Score

__all__ = ["Unfairness", "total_variations", "unfairness"]

_PREDICTORS = ("gradient_boosting", "logistic_regression")
_OVER_LEVELS = ("mean", "max")
_FOLDS = 3


@dataclass(frozen=True, kw_only=True)
class Unfairness(Metric):
    """How far predictions of a factor move with the level of another factor."""

    names = ("unfairness",)
    titles = ("unfairness",)
    family = "prediction"
    range = "from 0, which is best, to 1"
    bounds: ClassVar[Mapping[str, float | None]] = {"unfairness": None}
    min_factors = 2
    takes_test = True
    best_when_small = True
    cost = 10
    by_default = False

    predictor: str = "gradient_boosting"
    """gradient_boosting or logistic_regression."""
    over_levels: str = "mean"
    """mean or max, of the levels of a sensitive factor."""
    n_train: int = 10_000
    """The most rows to learn from."""
    n_test: int = 1_000
    """Rows of a larger grid that are judged at each level of each sensitive factor."""

    def __post_init__(self) -> None:
        check_choice("predictor", self.predictor, _PREDICTORS)
        check_choice("over_levels", self.over_levels, _OVER_LEVELS)
        for name in ("n_train", "n_test"):
            check_positive(name, getattr(self, name))

    @property
    def label(self) -> str:
        """The predictor, which is part of the score."""
        return f" ({self.predictor})"

    def settings(self, sample: Sample) -> dict[str, Any]:
        """With how rows are drawn."""
        return {**self.options, "sampling": "grid" if self._intervenes(sample) else "rows"}

    def notes(self, sample: Sample) -> tuple[str, ...]:
        """That rows are grouped."""
        return () if sample.grid is not None else (GROUPING,)

    def read(self, sample: Sample) -> dict[str, Measurement]:
        """Count predictions at each level of each other factor, on rows not learnt from."""
        levels, n_levels = factor_levels(sample.factors, sample.kinds)
        if self._intervenes(sample):
            counts = self._of_grid(sample, levels, n_levels)
        else:
            counts = self._of_rows(sample, levels, n_levels)
        return {"unfairness": _measured(counts, len(levels), self.over_levels)}

    def _intervenes(self, sample: Sample) -> bool:
        """On a small grid each row is judged, and rows of one level are what it is set to."""
        return sample.grid is not None and sample.test is None and len(sample.codes) > self.n_train

    def _of_grid(
        self, sample: Sample, levels: np.ndarray, n_levels: np.ndarray
    ) -> dict[tuple[int, int], np.ndarray]:
        """Counts, for each pair of a target and a sensitive factor, of rows that it is set in."""
        if sample.grid is None:
            return {}
        rng = np.random.default_rng([sample.seed, 13])
        learn = rng.choice(len(sample.codes), self.n_train, replace=False)
        set_to: dict[int, np.ndarray] = {}
        for j, size in enumerate(sample.grid):
            stride = int(np.prod(sample.grid[j + 1 :], dtype=np.int64))
            base = rng.integers(len(sample.codes), size=self.n_test)
            base -= base // stride % size * stride
            set_to[j] = (base + np.arange(size)[:, None] * stride).ravel()
        train, *judged = scaled_like(
            sample.codes[learn], *(sample.codes[rows] for rows in set_to.values())
        )

        def of_target(k: int) -> list[np.ndarray]:
            others = [j for j in set_to if j != k]
            ends = np.cumsum([len(judged[j]) for j in others])[:-1]
            rows = np.concatenate([judged[j] for j in others])
            return np.split(self._predicted(train, levels[k, learn], rows), ends)

        found: dict[tuple[int, int], np.ndarray] = {}
        for k, predicted in enumerate(in_threads(of_target, range(len(levels)))):
            others = [j for j in set_to if j != k]
            for j, one in zip(others, predicted, strict=True):
                found[k, j] = _counts(one, levels[j, set_to[j]], n_levels[k], n_levels[j])
        return found

    def _of_rows(
        self, sample: Sample, levels: np.ndarray, n_levels: np.ndarray
    ) -> dict[tuple[int, int], np.ndarray]:
        """Counts of the rows that a user gave to judge on; else of all, by three predictors."""
        judge_levels = levels
        if sample.test is not None:
            both, n_levels = factor_levels(
                np.concatenate([sample.factors, sample.test[1]]), sample.kinds
            )
            levels, judge_levels = both[:, : len(sample.codes)], both[:, len(sample.codes) :]

        def of_target(k: int) -> np.ndarray:
            if sample.test is not None:
                train, judge = scaled_like(sample.codes[: self.n_train], sample.test[0])
                return self._predicted(train, levels[k, : self.n_train], judge)
            order = np.random.default_rng([sample.seed, 4]).permutation(len(sample.codes))
            predicted = np.empty(len(order), dtype=np.int64)
            for fold in range(min(_FOLDS, len(order))):
                judged = order[fold::_FOLDS]
                learn = np.delete(order, np.s_[fold::_FOLDS])[: self.n_train]
                train, judge = scaled_like(sample.codes[learn], sample.codes[judged])
                predicted[judged] = self._predicted(train, levels[k, learn], judge)
            return predicted

        targets = range(len(levels))
        found = in_threads(of_target, targets)
        return {
            (k, j): _counts(found[k], judge_levels[j], n_levels[k], n_levels[j])
            for k in targets
            for j in targets
            if j != k
        }

    def _predicted(self, train: np.ndarray, levels: np.ndarray, judge: np.ndarray) -> np.ndarray:
        seen, labels = np.unique(levels, return_inverse=True)
        if len(seen) == 1:
            return np.full(len(judge), seen[0])
        if self.predictor == "logistic_regression":
            return np.asarray(seen[logistic_regression(train, labels).predict(judge)])
        from unweave.metrics import _boosting

        columns = [np.ascontiguousarray(part.T, dtype=np.float32) for part in (train, judge)]
        return np.asarray(seen[_boosting.boost(columns[0], labels, len(seen), columns[1])[1]])


def unfairness(
    codes: object,
    factors: object,
    *,
    predictor: str = "gradient_boosting",
    over_levels: str = "mean",
    n_train: int = 10_000,
    n_test: int = 1_000,
    test: tuple[object, object] | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Score:
    r"""How far predictions of one factor depend on the level of another, in [0, 1]; 0 is best.

    .. math:: \frac{1}{K (K - 1)} \sum_{k \ne s} \sum_c p(v_s = c) \,
        TV\big(p(\hat v_k), p(\hat v_k \mid v_s = c)\big)

    A predictor learns the target factor k from the codes. The total variation TV, half the sum of
    the absolute differences, compares its predictions at a level of the sensitive factor s with
    those at all levels. Few rows at a level differ from all rows by chance: ``chance`` is what
    codes that know nothing get of these rows.

    Parameters
    ----------
    codes, factors
        Codes of all rows of a grid with their :class:`~unweave.datasets.FactorSpace`, or arrays
        (samples, latents) and (samples, factors) of the same rows. Of a grid of more than
        ``n_train`` rows, ``n_test`` rows are drawn and the sensitive factor is set to each of its
        levels, as in the paper. Otherwise the rows with that level stand in for it, and each third
        of the rows is predicted by a predictor that learnt from the others. So factors that depend
        on each other in these rows make even a perfect code unfair.
    predictor
        ``gradient_boosting``, the trees of
        :func:`~unweave.metrics.disentanglement_completeness_informativeness`, or
        ``logistic_regression``, on standardised codes.
    over_levels
        ``mean``, weighted by how often a level occurs, as above; or ``max``, the level with the
        largest total variation.
    n_train, n_test
        The most rows to learn from, and rows of a larger grid to be judged at each level.
    test
        Codes and factors of other rows to be judged on.
    factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`, as are the errors; at least two
        factors are needed. ``matrix`` has the value (targets, sensitive factors), ``per_factor``
        the mean of each target, and ``extras["worst_pair"]`` the largest of the matrix.

    References
    ----------
    Locatello et al. (2019), https://arxiv.org/abs/1905.13662, section 4.

    >>> factors = np.stack(np.meshgrid(range(4), range(4)), -1).reshape(-1, 2)
    >>> factors = np.repeat(factors, 5, axis=0)
    >>> float(unfairness(factors.astype(float), factors, noise=None))
    0.0
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, test=test, seed=seed)
    metric = Unfairness(
        predictor=predictor, over_levels=over_levels, n_train=n_train, n_test=n_test
    )
    return score(metric, sample, noise)["unfairness"]


def total_variations(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Total variation (levels,) of predictions at a level from those at all, and the level's share.

    ``counts`` (classes, levels) has how often each class is predicted at each level.
    """
    at_level = counts.sum(axis=0)
    counts, at_level = counts[:, at_level > 0], at_level[at_level > 0]
    share = at_level / at_level.sum()
    overall = counts.sum(axis=1, keepdims=True) / at_level.sum()
    return np.abs(counts / at_level - overall).sum(axis=0) / 2, share


def _counts(predicted: np.ndarray, levels: np.ndarray, n_classes: int, n_levels: int) -> np.ndarray:
    """How often (classes, levels) each class is predicted at each level."""
    cells = predicted.astype(np.int64) * n_levels + levels
    return np.bincount(cells, minlength=n_classes * n_levels).reshape(n_classes, n_levels)


def _measured(
    counts: dict[tuple[int, int], np.ndarray], n_factors: int, over_levels: str
) -> Measurement:
    matrix = np.zeros((n_factors, n_factors))
    for pair, table in counts.items():
        distance, share = total_variations(table)
        matrix[pair] = distance @ share if over_levels == "mean" else distance.max()
    each = matrix.sum(axis=1) / (n_factors - 1)
    return Measurement(float(each.mean()), each, matrix, {"worst_pair": float(matrix.max())})
