"""Every metric at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from unweave.metrics.mig import mutual_information_gap
from unweave.metrics.sap import separated_attribute_predictability
from unweave.metrics.score import Score, Scores
from unweave.metrics.significance import Noise

__all__ = ["METRICS", "evaluate"]

METRICS: dict[str, Callable[..., Score]] = {
    "mig": mutual_information_gap,
    "sap": separated_attribute_predictability,
}


def evaluate(
    codes: object,
    factors: object,
    *,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Scores:
    """Every metric of ``METRICS`` with its default settings, each with chance and interval.

    Parameters and errors are those of the metrics.

    >>> import numpy as np
    >>> factors = np.stack(np.meshgrid([0, 1], [0, 1, 2]), -1).reshape(-1, 2)
    >>> evaluate(factors.astype(float), factors, noise=None)
    mig = 1.0000, n = 6, seed = 0
    sap = 1.0000, n = 6, seed = 0
    """
    return Scores(
        {
            name: metric(
                codes,
                factors,
                factor_names=factor_names,
                factor_kinds=factor_kinds,
                noise=noise,
                seed=seed,
            )
            for name, metric in METRICS.items()
        }
    )
