"""Metrics that are read from one matrix: what each latent knows of each factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict

import numpy as np

from unweave._check import check_choice, check_positive
from unweave.metrics._groups import Groups, GroupsOption
from unweave.metrics._information import (
    BINNINGS,
    ESTIMATORS,
    InformationTable,
    bin_codes,
    binned_table,
    entropies,
    factor_levels,
    neighbour_table,
    warn_of_outliers,
)
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Score

__all__ = ["InformationMetric", "InformationOptions", "information_scores"]

_BIASED = 0.05  # of a factor's entropy
N_NEIGHBOURS = 3  # of scikit-learn, and of those who compare estimators of MIG


class InformationOptions(TypedDict, total=False):
    """Options of :func:`~unweave.metrics.mutual_information_gap`, which its relatives share."""

    estimator: str
    n_bins: int
    binning: str
    groups: GroupsOption | None
    factor_names: Sequence[str] | None
    factor_kinds: Sequence[str | None] | None
    noise: Noise | None
    seed: int


def information_scores(
    metric: type[InformationMetric],
    codes: object,
    factors: object,
    *,
    groups: GroupsOption | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
    **options: Any,
) -> dict[str, Score]:
    """The scores of a metric, for functions that take the options of MIG."""
    chosen = metric(**options)
    sample = Sample.of(codes, factors, factor_names, factor_kinds, groups=groups, seed=seed)
    return score(chosen, sample, noise)


@dataclass(frozen=True, kw_only=True)
class InformationMetric(Metric):
    """A formula of the table of mutual informations, which those of equal options share."""

    family: ClassVar[str] = "information"
    min_latents: ClassVar[int] = 2
    takes_groups: ClassVar[bool] = True

    estimator: str = "disentanglement_lib"
    """disentanglement_lib, miller_madow, adjusted or ksg."""
    n_bins: int = 20
    """Bins of each latent."""
    binning: str = "equal_width"
    """equal_width or quantile."""

    def __post_init__(self) -> None:
        check_choice("estimator", self.estimator, ESTIMATORS)
        check_choice("binning", self.binning, BINNINGS)
        check_positive("n_bins", self.n_bins, minimum=2)

    @property
    def is_binned(self) -> bool:
        """Whether informations are counted in bins."""
        return self.estimator != "ksg"

    @property
    def level_bins(self) -> int:
        """Those of the latents."""
        return self.n_bins

    def cost_of(self, sample: Sample) -> int:
        """Neighbours are expensive."""
        return 1 if self.is_binned else 10

    def settings(self, sample: Sample) -> dict[str, Any]:
        """Those that this estimator has."""
        return {
            **self.options,
            "n_bins": self.n_bins if self.is_binned else None,
            "binning": self.binning if self.is_binned else None,
            "n_neighbours": None if self.is_binned else N_NEIGHBOURS,
        }

    def table(self, sample: Sample, estimator: str | None = None) -> InformationTable:
        """What each latent of the sample, or each group of them, knows of each factor."""
        estimator = estimator or self.estimator

        def compute() -> InformationTable:
            levels, n_levels = factor_levels(sample.factors, sample.kinds, self.n_bins)
            units = sample.groups
            if estimator == "ksg":
                return neighbour_table(sample.codes, levels, n_levels, N_NEIGHBOURS, units)
            cells = self._cells(sample)
            n_cells = self.n_bins if units is None else max(self.n_bins, int(cells.max()) + 1)
            names = None if units is None else units.names
            return binned_table(cells, levels, n_cells, n_levels, estimator, names)

        return sample.once(("information", estimator, self.n_bins, self.binning), compute)

    def notes(self, sample: Sample) -> tuple[str, ...]:
        """What bins cannot hold, and what chance puts into them."""
        if not self.is_binned:
            return ()
        if self.binning == "equal_width":
            sample.once(("outliers", self.n_bins), lambda: self._warn(sample))
        own = sample.once(("lost", self.n_bins), lambda: _lost(sample, self.n_bins))
        if sample.groups is not None and self.estimator == "disentanglement_lib":
            own += _crowded(sample, sample.groups, self._cells(sample), self.n_bins)
        return own

    def _warn(self, sample: Sample) -> None:
        warn_of_outliers(self._bins(sample), sample.codes, self.n_bins)

    def _bins(self, sample: Sample) -> np.ndarray:
        return sample.once_for_codes(
            ("bins", self.n_bins, self.binning),
            lambda: bin_codes(sample.codes, self.n_bins, self.binning),
        )

    def _cells(self, sample: Sample) -> np.ndarray:
        """Bins of each latent, or joint bins of each group."""
        groups = sample.groups
        if groups is None:
            return self._bins(sample)
        return sample.once_for_codes(
            ("cells", self.n_bins, self.binning), lambda: groups.joint(self._bins(sample))
        )


def _crowded(sample: Sample, groups: Groups, cells: np.ndarray, n_bins: int) -> tuple[str, ...]:
    """A note on groups whose joint bins are so many that chance alone fills them with information.

    What independent rows add to the plug-in estimate is (cells - 1)(levels - 1) / 2n, to first
    order.
    """
    levels, n_levels = factor_levels(sample.factors, sample.kinds, n_bins)
    filled = cells.max(axis=1) + 1
    bias = (filled - 1)[:, None] * (n_levels - 1) / (2 * cells.shape[1])
    share = np.minimum(bias / entropies(levels, n_levels), 1.0).max(axis=1)
    sizes = np.array([len(group) for group in groups.members])
    names = [groups.names[i] for i in np.flatnonzero((share > _BIASED) & (sizes > 1))]
    if not names:
        return ()
    return (
        f"joint bins of groups {names[:10]} are up to {filled.max()} in {cells.shape[1]} rows: by "
        f"chance alone they know up to {share.max():.2f} of a factor; read the adjusted value, or "
        "use estimator='ksg' or 'adjusted'",
    )


def _lost(sample: Sample, n_bins: int) -> tuple[str, ...]:
    """A note on bins that are fewer than levels."""
    levels, n_levels = factor_levels(sample.factors, sample.kinds, n_bins)
    if sample.groups is not None:
        joint = n_bins ** max(len(group) for group in sample.groups.members)
        n_bins = max(n_bins, min(joint, len(sample.codes)))
    known = np.minimum(1.0, np.log(n_bins) / entropies(levels, n_levels)).mean()
    if known > 0.995:
        return ()
    return (
        f"{n_bins} bins cannot distinguish up to {n_levels.max()} levels: no code can know more "
        f"than {known:.3f} of the factors here",
    )
