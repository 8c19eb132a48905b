"""The scores that are read from one matrix: what each latent knows of each factor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

import numpy as np

from unweave._check import check_choice, check_positive
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
from unweave.metrics.significance import Noise, score_all

__all__ = ["OneMatrixOptions", "one_matrix_scores"]

N_NEIGHBOURS = 3  # of scikit-learn, and of those who compare estimators of MIG


class OneMatrixOptions(TypedDict, total=False):
    """Options of :func:`~unweave.metrics.mutual_information_gap`, which its relatives share."""

    estimator: str
    n_bins: int
    binning: str
    factor_names: Sequence[str] | None
    factor_kinds: Sequence[str] | None
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
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str] | None = None,
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
        tops={"rmig": None},
        thin=1 if is_binned else 10,
    )
    codes, factors = subject.codes, subject.factors
    whole, bins_of_whole = codes, bin_codes(codes, n_bins, binning)

    def table(codes, factors, estimator=estimator) -> InformationTable:
        levels, n_levels = factor_levels(factors, kinds, n_bins)
        if estimator == "ksg":
            return neighbour_table(codes, levels, n_levels, N_NEIGHBOURS)
        # Permuted factors come with the same codes: half of the work is done.
        bins = bins_of_whole if codes is whole else bin_codes(codes, n_bins, binning)
        return binned_table(bins, levels, n_bins, n_levels, estimator)

    def measure(codes, factors) -> dict[str, Reading]:
        found = table(codes, factors)
        return {name: formula(found) for name, formula in formulas.items()}

    if is_binned:
        if binning == "equal_width":
            warn_of_outliers(bins_of_whole, codes, n_bins)
        subject = replace(subject, notes=subject.notes + _notes(factors, kinds, n_bins))
    if "mig" in formulas and (estimator == "adjusted" or noise is not None):
        exact = formulas["mig"](table(codes, factors, "adjusted")).value
        subject = replace(subject, adjusted={"mig": exact})
    return score_all(subject, measure, noise)


def _notes(factors: np.ndarray, kinds: Sequence[str] | None, n_bins: int) -> tuple[str, ...]:
    levels, n_levels = factor_levels(factors, kinds, n_bins)
    known = np.minimum(1.0, np.log(n_bins) / entropies(levels, n_levels)).mean()
    if known > 0.995:
        return ()
    return (
        f"{n_bins} bins cannot tell up to {n_levels.max()} levels apart: no code can know more "
        f"than {known:.3f} of the factors here",
    )
