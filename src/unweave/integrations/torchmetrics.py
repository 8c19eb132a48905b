"""A torchmetrics metric over any score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from unweave._check import check_names
from unweave._extras import imported
from unweave._tables import index_of, matching_rows
from unweave.integrations._batches import Layout, batch_of, layouts_of, names_of, table_of
from unweave.metrics import Score
from unweave.metrics.catalogue import MetricLike, one_score

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
        Short name, of :data:`unweave.metrics.METRICS`; or a :class:`~unweave.metrics.Metric`, as
        of :func:`~unweave.metrics.evaluate`.
    options
        Options of that metric, and ``factor_names``, ``factor_kinds``, ``noise``, ``seed``. Noise
        is not measured unless asked for: a training loop wants the bare value.

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
    codes_layouts: list[torch.Tensor]
    factors_layouts: list[torch.Tensor]

    def __init__(
        self, metric: MetricLike, *, options: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(compute_on_cpu=True, **kwargs)
        self._scored, rest = one_score(metric, options or {})
        self.metric = self._scored.name
        self.options = {"noise": None, **rest}
        names = self.options.get("factor_names")
        if names is not None:
            check_names("factor", names, len(names))
        self.score: Score | None = None
        self._earlier: dict[str, Layout] = {}
        for what in ("codes", "factors"):
            self.add_state(what, default=[], dist_reduce_fx="cat")
            # A state too, so that it goes wherever the rows go: to other processes and metrics.
            self.add_state(f"{what}_layouts", default=[], dist_reduce_fx="cat")

    @property
    def higher_is_better(self) -> bool:
        """False for the dependence between latents, of which none is best."""
        return not self._scored.metric.best_when_small

    def update(self, codes: object, factors: object) -> None:
        """Add codes (samples, latents) and factors (samples, factors) of one batch.

        Tensors, or anything that the metrics take; the score is that of all rows at once. Columns
        of data frames are matched with those of earlier batches by name. Words must be the same in
        every batch: those of a categorical with the same categories are, whichever occur.

        Raises
        ------
        ValueError
            If they are not of two dimensions, or their rows, columns or words do not match.
        """
        (z, codes_layout), (v, layout) = batch_of(codes, "codes"), batch_of(factors, "factors")
        if len(z) != len(v):
            raise ValueError(
                f"codes of this batch have {len(z)} rows and factors {len(v)}: row i of both must "
                "belong to the same sample"
            )
        rows = matching_rows(index_of(codes), index_of(factors), "codes", "factors")
        v = v if rows is None else v[rows]
        fitting = self._fitting(z, codes_layout, "codes"), self._fitting(v, layout, "factors")
        for what, (batch, encoded) in zip(("codes", "factors"), fitting, strict=True):
            getattr(self, what).append(batch)
            getattr(self, f"{what}_layouts").append(encoded)

    def _fitting(
        self, batch: torch.Tensor, layout: Layout, what: str
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch with its columns in the order of earlier ones, and its layout in bytes."""
        layouts = getattr(self, f"{what}_layouts")
        earlier = layouts_of(layouts[-1])[0] if layouts else self._earlier.get(what)
        if earlier is not None:
            order = earlier.order_of(layout, what)
            batch = batch if order is None else batch[:, order]
            parts = layout.parts if order is None else tuple(layout.parts[k] for k in order)
            layout = Layout(earlier.columns or layout.columns, parts)
            earlier.check_same(layout, what.removesuffix("s"))
        encoded = torch.tensor(list(layout.to_bytes()), dtype=torch.uint8, device=batch.device)
        return batch, encoded

    def forward(self, codes: object, factors: object) -> torch.Tensor:
        """Add one batch, as :meth:`update` does, and score it alone."""
        # It starts from empty states, and the batch has to match earlier ones all the same.
        for what in ("codes", "factors"):
            layouts = getattr(self, f"{what}_layouts")
            if layouts:
                self._earlier[what] = layouts_of(layouts[-1])[0]
        try:
            return super().forward(codes, factors)
        finally:
            self._earlier = {}

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
        layouts = layouts_of(dim_zero_cat(self.factors_layouts))
        codes_layouts = layouts_of(dim_zero_cat(self.codes_layouts))
        codes = table_of(dim_zero_cat(self.codes), codes_layouts, "codes")
        factors = table_of(dim_zero_cat(self.factors), layouts, "factors")
        options = {"factor_names": names_of(layouts), **self.options}
        self.score = self._scored(codes, factors, **options)
        return torch.tensor(float(self.score))

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
