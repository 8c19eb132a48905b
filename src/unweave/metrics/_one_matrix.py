"""The scores that are read from one matrix: what each latent knows of each factor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

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
from unweave.metrics._subject import subject_of
from unweave.metrics.score import Reading, Score
from unweave.metrics.significance import Noise, Subject, score_all

__all__ = ["OneMatrixOptions", "one_matrix_scores"]

_BIASED = 0.05  # of a factor's entropy
N_NEIGHBOURS = 3  # of scikit-learn, and of those who compare estimators of MIG


class OneMatrixOptions(TypedDict, total=False):
    """Options of :func:`~unweave.metrics.mutual_information_gap`, which its relatives share."""

    estimator: str
    n_bins: int
    binning: str
    groups: GroupsOption | None
    factor_names: Sequence[str] | None
    factor_kinds: Sequence[str | None] | None
    noise: Noise | None
    seed: int


def one_matrix_scores(
    formulas: Mapping[str, Callable[[InformationTable], Reading]],
    codes: object,
    factors: object,
    *,
    estimator: str = "disentanglement_lib",
    n_bins: int = 20,
    binning: str = "equal_width",
    groups: GroupsOption | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
    min_factors: int = 1,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Score]:
    """Every formula of one table of mutual informations, whose draws they share.

    Raises
    ------
    ValueError
        If the arrays or options cannot be used.
    """
    estimator = check_choice("estimator", estimator, ESTIMATORS)
    binning = check_choice("binning", binning, BINNINGS)
    n_bins = check_positive("n_bins", n_bins, minimum=2)
    if estimator == "ksg" and "jemmig" in formulas:
        raise ValueError("jemmig needs the entropy of binned codes: choose another estimator")
    if groups is not None and "jemmig" in formulas:
        raise ValueError("jemmig counts the bins of single latents: it has no groups")
    is_binned = estimator != "ksg"
    subject, kinds = subject_of(
        codes,
        factors,
        {
            "estimator": estimator,
            "n_bins": n_bins if is_binned else None,
            "binning": binning if is_binned else None,
            "n_neighbours": None if is_binned else N_NEIGHBOURS,
            **(settings or {}),
        },
        factor_names=factor_names,
        factor_kinds=factor_kinds,
        seed=seed,
        min_latents=2,
        min_factors=min_factors,
        n_bins=n_bins,
        groups=groups,
        tops={"rmig": None},
        thin=1 if is_binned else 10,
    )
    codes, factors = subject.codes, subject.factors
    whole, bins_of_whole = codes, bin_codes(codes, n_bins, binning)
    cells_of_whole = _cells(bins_of_whole, subject.groups)

    def table(codes, factors, estimator=estimator) -> InformationTable:
        levels, n_levels = factor_levels(factors, kinds, n_bins)
        units = subject.groups_of(codes)
        if estimator == "ksg":
            return neighbour_table(codes, levels, n_levels, N_NEIGHBOURS, units)
        # Permuted factors come with the same codes: half of the work is done.
        cells = cells_of_whole
        if codes is not whole:
            cells = _cells(bin_codes(codes, n_bins, binning), units)
        n_cells = n_bins if units is None else max(n_bins, int(cells.max()) + 1)
        names = None if units is None else units.names
        return binned_table(cells, levels, n_cells, n_levels, estimator, names)

    def measure(codes, factors) -> dict[str, Reading]:
        found = table(codes, factors)
        return {name: formula(found) for name, formula in formulas.items()}

    if is_binned:
        if binning == "equal_width":
            warn_of_outliers(bins_of_whole, codes, n_bins)
        own = _notes(subject, kinds, n_bins)
        if estimator == "disentanglement_lib":
            own += _crowded(subject, cells_of_whole, *factor_levels(factors, kinds, n_bins))
        subject = replace(subject, notes=subject.notes + own)
    if "mig" in formulas and (estimator == "adjusted" or noise is not None):
        exact = formulas["mig"](table(codes, factors, "adjusted")).value
        subject = replace(subject, adjusted={"mig": exact})
    return score_all(subject, measure, noise)


def _cells(bins: np.ndarray, groups: Groups | None) -> np.ndarray:
    return bins if groups is None else groups.joint(bins)


def _crowded(
    subject: Subject, cells: np.ndarray, levels: np.ndarray, n_levels: np.ndarray
) -> tuple[str, ...]:
    """A note on groups whose joint bins are so many that chance alone fills them with information.

    What independent rows add to the plug-in estimate is (cells - 1)(levels - 1) / 2n, to first
    order.
    """
    if subject.groups is None:
        return ()
    filled = cells.max(axis=1) + 1
    bias = (filled - 1)[:, None] * (n_levels - 1) / (2 * cells.shape[1])
    share = np.minimum(bias / entropies(levels, n_levels), 1.0).max(axis=1)
    sizes = np.array([len(group) for group in subject.groups.members])
    names = [subject.groups.names[i] for i in np.flatnonzero((share > _BIASED) & (sizes > 1))]
    if not names:
        return ()
    return (
        f"joint bins of groups {names[:10]} are up to {filled.max()} in {cells.shape[1]} rows: by "
        f"chance alone they know up to {share.max():.2f} of a factor; read the adjusted value, or "
        "use estimator='ksg' or 'adjusted'",
    )


def _notes(subject: Subject, kinds: Sequence[str] | None, n_bins: int) -> tuple[str, ...]:
    levels, n_levels = factor_levels(subject.factors, kinds, n_bins)
    if subject.groups is not None:
        joint = n_bins ** max(len(group) for group in subject.groups.members)
        n_bins = max(n_bins, min(joint, len(subject.codes)))
    known = np.minimum(1.0, np.log(n_bins) / entropies(levels, n_levels)).mean()
    if known > 0.995:
        return ()
    return (
        f"{n_bins} bins cannot tell up to {n_levels.max()} levels apart: no code can know more "
        f"than {known:.3f} of the factors here",
    )
