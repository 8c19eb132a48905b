"""A scikit-learn scorer over any score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unweave._check import check_names
from unweave._tables import index_of, matching_rows
from unweave.metrics.catalogue import MetricLike, one_score

__all__ = ["disentanglement_scorer"]


def disentanglement_scorer(metric: MetricLike, **options: Any) -> Callable[[Any, Any, Any], float]:
    """A scorer ``(estimator, X, factors) -> float`` of what ``estimator.transform(X)`` gives.

    It goes where scikit-learn takes ``scoring``, as in ``cross_val_score`` or ``GridSearchCV``,
    with the factors as ``y``: an array or a data frame, which is put in the order of X where both
    have an index. Metrics of dependence, for which small is good, are negated.

    Parameters
    ----------
    metric
        Short name, of :data:`unweave.metrics.METRICS`; or a :class:`~unweave.metrics.Metric`, as
        of :func:`~unweave.metrics.evaluate`.
    options
        Options of that metric, and ``factor_names``, ``factor_kinds``, ``noise`` (None unless
        given) and ``seed``.

    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> factors = np.stack(np.meshgrid(range(2), range(3)), -1).reshape(-1, 2)
    >>> scorer = disentanglement_scorer("sap")
    >>> round(scorer(PCA().fit(factors), factors, factors), 6)
    1.0
    """
    score, rest = one_score(metric, options)
    sign = -1 if score.metric.best_when_small else 1
    options = {"noise": None, **rest}
    names = options.get("factor_names")
    if names is not None:
        check_names("factor", names, len(names))

    def scorer(estimator: Any, X: Any, factors: Any) -> float:
        if not hasattr(estimator, "transform"):
            raise ValueError(
                f"{type(estimator).__name__} has no transform: what is scored are the codes that "
                "it gives"
            )
        codes = estimator.transform(X)
        if index_of(codes) is None:  # the estimator kept the order of X, not its labels
            rows = matching_rows(index_of(X), index_of(factors), "X", "factors")
            factors = factors if rows is None else factors.iloc[rows]
        return sign * float(score(codes, factors, **options))

    return scorer
