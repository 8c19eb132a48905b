"""A torchmetrics metric over any score."""

from __future__ import annotations

from typing import Any

import torch

from unweave._check import check_choice
from unweave._extras import imported
from unweave.metrics import BEST_WHEN_SMALL, METRICS, Score

__all__ = ["DisentanglementMetric"]

imported("torchmetrics", needed_by="DisentanglementMetric", extra="torchmetrics")

from torchmetrics import Metric  # noqa: E402 - the line before says what is missing
from torchmetrics.utilities import dim_zero_cat  # noqa: E402


class DisentanglementMetric(Metric):
    """Gathers codes and factors batch by batch; ``compute`` scores all of them.

    In a Lightning loop, ``self.log("mig", metric)`` after ``metric.update(codes, factors)`` does
    what it does for any metric; over several processes the rows of all are gathered first. Rows are
    kept until ``reset``, in main memory. The whole :class:`~unweave.metrics.Score` of the last
    ``compute`` is in ``score``.

    Parameters
    ----------
    metric
        Short name, of :data:`unweave.metrics.METRICS`.
    options
        Of that metric: ``factor_names``, ``factor_kinds``, ``noise``, ``seed``. Noise is not
        measured unless asked for: a training loop wants the bare value.

    >>> metric = DisentanglementMetric("mig")
    >>> factors = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> metric.update(factors.float(), factors)
    >>> metric.compute()
    tensor(1.)
    """

    is_differentiable = False
    full_state_update = False
    codes: list[torch.Tensor]
    factors: list[torch.Tensor]

    def __init__(self, metric: str, *, options: dict[str, Any] | None = None, **kwargs: Any):
        super().__init__(compute_on_cpu=True, **kwargs)
        self.metric = check_choice("metric", metric, METRICS)
        self.options = {"noise": None, **(options or {})}
        self.score: Score | None = None
        self.add_state("codes", default=[], dist_reduce_fx="cat")
        self.add_state("factors", default=[], dist_reduce_fx="cat")

    @property
    def higher_is_better(self) -> bool:
        """False for the dependence between latents, of which none is best."""
        return self.metric not in BEST_WHEN_SMALL

    def update(self, codes: torch.Tensor, factors: torch.Tensor) -> None:
        """Add codes (samples, latents) and factors (samples, factors) of one batch."""
        self.codes.append(codes.detach())
        self.factors.append(factors.detach())

    def compute(self) -> torch.Tensor:
        """The score of all rows since the last reset, as a scalar tensor."""
        codes, factors = dim_zero_cat(self.codes), dim_zero_cat(self.factors)
        self.score = METRICS[self.metric](codes, factors, **self.options)
        return torch.tensor(float(self.score))
