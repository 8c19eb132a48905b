"""A torchmetrics metric over any score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from unweave._check import check_choice, check_names
from unweave._extras import imported
from unweave._tables import (
    column_names,
    index_of,
    matching_columns,
    matching_rows,
    read_table,
)
from unweave.metrics import BEST_WHEN_SMALL, METRICS, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
        names = self.options.get("factor_names")
        if names is not None:
            check_names("factor", names, len(names))
        self.score: Score | None = None
        self.columns: tuple[str, ...] | None = None
        self.add_state("codes", default=[], dist_reduce_fx="cat")
        self.add_state("factors", default=[], dist_reduce_fx="cat")

    @property
    def higher_is_better(self) -> bool:
        """False for the dependence between latents, of which none is best."""
        return self.metric not in BEST_WHEN_SMALL

    def update(self, codes: object, factors: object) -> None:
        """Add codes (samples, latents) and factors (samples, factors) of one batch.

        Tensors, or anything that the metrics take, as long as factors are numbers: the levels of
        words are known only of all rows. Data frames give the factors their names.

        Raises
        ------
        ValueError
            If they are not numbers of two dimensions, or their rows or columns do not match.
        """
        z, v = _tensor(codes, "codes"), _tensor(factors, "factors")
        if len(z) != len(v):
            raise ValueError(
                f"codes of this batch have {len(z)} rows and factors {len(v)}: row i of both must "
                "belong to the same sample"
            )
        rows = matching_rows(index_of(codes), index_of(factors), "codes", "factors")
        columns = matching_columns(
            self.columns, column_names(factors), "earlier factors", "factors of this batch"
        )
        v = v if rows is None else v[rows]
        self.factors.append(v if columns is None else v[:, columns])
        self.codes.append(z)
        self.columns = self.columns or column_names(factors)

    def compute(self) -> torch.Tensor:
        """The score of all rows since the last reset, as a scalar tensor.

        Raises
        ------
        ValueError
            If there are no rows, or they cannot be scored.
        """
        if isinstance(self.codes, list) and not self.codes:
            raise ValueError(
                "there are no rows to score: call update(codes, factors) before compute()"
            )
        codes, factors = dim_zero_cat(self.codes), dim_zero_cat(self.factors)
        options = {"factor_names": self.columns, **self.options}
        self.score = METRICS[self.metric](codes, factors, **options)
        return torch.tensor(float(self.score))

    def reset(self) -> None:
        """Forget all rows."""
        super().reset()
        self.columns = None

    def plot(
        self, val: torch.Tensor | Sequence[torch.Tensor] | None = None, ax: Axes | None = None
    ) -> tuple[Figure | None, Axes]:
        """A new figure and its axes with one value, or with a line of several.

        Parameters
        ----------
        val
            What ``compute`` or ``forward`` gave, once or several times; None for ``compute()``.
        ax
            The axes to draw on, in which case no figure comes with them; None for new ones.
        """
        return self._plot(val, ax)


def _tensor(data: object, what: str) -> torch.Tensor:
    """A batch as a tensor (samples, columns) of numbers."""
    if isinstance(data, torch.Tensor) and data.layout == torch.strided:
        if data.ndim != 2:
            raise ValueError(
                f"{what} of a batch must be two-dimensional, not of shape {tuple(data.shape)}"
            )
        return data.detach()
    numbers = read_table(data, what, "(samples, columns)").numbers("(samples, columns)")
    return torch.tensor(numbers)
