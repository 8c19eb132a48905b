"""Every metric at once, and two representations side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from unweave._check import check_choice, check_positive, constant_columns, read_codes
from unweave._factors import read_codes_factors
from unweave._parallel import in_threads
from unweave._tables import matching_rows
from unweave.metrics._groups import GroupsOption
from unweave.metrics._one_matrix import one_matrix_scores
from unweave.metrics._progress import progress
from unweave.metrics.beta_vae_score import beta_vae_score
from unweave.metrics.comparison import Comparison, Difference
from unweave.metrics.dci import disentanglement_completeness_informativeness
from unweave.metrics.dependence import latent_dependence
from unweave.metrics.downstream import downstream_accuracy
from unweave.metrics.explicitness import explicitness
from unweave.metrics.factor_vae_score import factor_vae_score
from unweave.metrics.identifiability import linear_r2, mean_correlation_coefficient
from unweave.metrics.infomec import infomec
from unweave.metrics.irs import interventional_robustness_score
from unweave.metrics.med import read_med
from unweave.metrics.mig import read_mig, read_rmig
from unweave.metrics.mig_sup import read_dcimig, read_jemmig, read_mig_sup
from unweave.metrics.modularity import read_modularity
from unweave.metrics.sap import separated_attribute_predictability
from unweave.metrics.score import Score, Scores
from unweave.metrics.significance import ROUNDING, Noise, interval, quiet_fits
from unweave.metrics.snc import single_neuron_classification
from unweave.metrics.subspaces import subspace_angle

__all__ = [
    "BEST_WHEN_SMALL",
    "GROUPED",
    "LABEL_FREE",
    "METRICS",
    "compare",
    "difference",
    "evaluate",
    "scores_of_halves",
    "undefined_metrics",
]


@dataclass(frozen=True)
class _Family:
    """Scores that come from one computation."""

    names: tuple[str, ...]
    compute: Callable[..., Mapping[str, Score]]
    min_latents: int = 1
    min_factors: int = 1
    min_alive: int = 0
    """Latents that must vary."""
    takes_groups: bool = False
    """Whether groups of latents may take the place of latents."""


_FORMULAS = {
    "mig": read_mig,
    "mig_sup": read_mig_sup,
    "rmig": read_rmig,
    "dcimig": read_dcimig,
    "jemmig": read_jemmig,
    "modularity": read_modularity,
    **read_med(),
}
_OF_LATENTS = ("mig", "rmig")
_ACROSS_FACTORS = ("mig_sup", "dcimig", "modularity", "med_disentanglement", "med_completeness")


def _one_matrix(codes, factors, *, names, **options) -> dict[str, Score]:
    return one_matrix_scores(
        {name: _FORMULAS[name] for name in names},
        codes,
        factors,
        min_factors=2 if any(name in _ACROSS_FACTORS for name in names) else 1,
        **options,
    )


def _single(metric: Callable[..., Score], codes, factors, *, names, **options) -> dict[str, Score]:
    return {names[0]: metric(codes, factors, **options)}


def _several(metric: Callable[..., Scores], codes, factors, *, names, **options) -> Scores:
    return metric(codes, factors, **options)


def _dependence(
    codes, factors, *, names, factor_names=None, factor_kinds=None, **options
) -> Scores:
    if factors is not None:
        read_codes_factors(codes, factors, names=factor_names, kinds=factor_kinds)
    return latent_dependence(codes, **options)


_FAMILIES = (
    _Family(("beta_vae",), partial(_single, beta_vae_score), min_factors=2),
    _Family(("factor_vae",), partial(_single, factor_vae_score), min_factors=2),
    _Family(("irs",), partial(_single, interventional_robustness_score)),
    _Family(_OF_LATENTS, _one_matrix, 2, takes_groups=True),
    _Family(_ACROSS_FACTORS, _one_matrix, 2, 2, takes_groups=True),
    _Family(("jemmig",), _one_matrix, 2),
    _Family(("explicitness",), partial(_single, explicitness)),
    _Family(("infom", "infoc", "infoe"), partial(_several, infomec), takes_groups=True),
    _Family(("sap",), partial(_single, separated_attribute_predictability), min_latents=2),
    _Family(
        ("dci_disentanglement", "dci_completeness", "dci_informativeness"),
        partial(_several, disentanglement_completeness_informativeness),
        takes_groups=True,
    ),
    _Family(("mcc",), partial(_single, mean_correlation_coefficient)),
    _Family(("linear_r2",), partial(_single, linear_r2)),
    _Family(("snc",), partial(_single, single_neuron_classification)),
    _Family(("subspace_angle",), partial(_single, subspace_angle), 2, 2),
    _Family(
        ("downstream_accuracy", "statistical_efficiency"), partial(_several, downstream_accuracy)
    ),
    _Family(("total_correlation", "wasserstein", "latent_mi"), _dependence, 2, min_alive=2),
)
_FAMILY_OF = {name: family for family in _FAMILIES for name in family.names}
_ORDER = (
    "beta_vae", "factor_vae", "irs",
    "mig", "mig_sup", "rmig", "dcimig", "jemmig", "modularity", "explicitness",
    "med_disentanglement", "med_completeness", "infom", "infoc", "infoe",
    "sap", "dci_disentanglement", "dci_completeness", "dci_informativeness",
    "mcc", "linear_r2", "snc", "subspace_angle",
    "downstream_accuracy", "statistical_efficiency",
    "total_correlation", "wasserstein", "latent_mi",
)  # fmt: skip


def _alone(name: str, codes: object, factors: object, **options: Any) -> Score:
    """The score called ``name`` with its default settings."""
    return _FAMILY_OF[name].compute(codes, factors, names=(name,), **options)[name]


METRICS: dict[str, Callable[..., Score]] = {name: partial(_alone, name) for name in _ORDER}
"""Each metric by its short name: a function of codes and factors, and of its own options."""

BEST_WHEN_SMALL = _FAMILY_OF["latent_mi"].names
"""Short names of the metrics of which 0 is the best."""

GROUPED = tuple(name for name in _ORDER if _FAMILY_OF[name].takes_groups)
"""Short names of the metrics in which groups of latents may take the place of latents."""

LABEL_FREE = _FAMILY_OF["latent_mi"].names
"""Short names of the metrics that need no factors."""


def evaluate(
    codes: object,
    factors: object = None,
    *,
    metrics: Sequence[str] | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    groups: GroupsOption | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Scores:
    """The metrics asked for with their default settings, each with chance level and interval.

    What metrics have in common (bins, the matrix of informations, predictors, and all draws of
    noise) is computed once for all of them, on all cores.

    Parameters
    ----------
    codes, factors
        Arrays, tensors or data frames (samples, latents) and (samples, factors) of the same rows,
        as of :func:`~unweave.metrics.mutual_information_gap`; or codes of a whole grid and its
        :class:`~unweave.datasets.FactorSpace`. Without factors, only the metrics of
        :data:`LABEL_FREE` are computed.
    metrics
        Names, of :data:`METRICS`; None for all that are defined for so many latents and factors
        (those that are not are listed in ``skipped`` of what is returned, with the reason).
    groups
        Groups of latents that take the place of latents in :data:`GROUPED`, in the forms of
        :func:`~unweave.metrics.mutual_information_gap`. The other metrics take each latent.
    factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`.

    Raises
    ------
    ValueError
        If the arrays cannot be used, or a metric is unknown or not defined for them, or needs
        factors and there are none.

    >>> factors = np.stack(np.meshgrid([0, 1], [0, 1, 2]), -1).reshape(-1, 2)
    >>> scores = evaluate(factors.astype(float), factors, metrics=["mig", "sap"], noise=None)
    >>> {name: float(score) for name, score in scores.items()}
    {'mig': 1.0, 'sap': 1.0}
    """
    asked = list(_ORDER) if metrics is None else [metrics] if isinstance(metrics, str) else metrics
    asked = [check_choice("metric", name, _ORDER) for name in asked]
    skipped: dict[str, str] = {}
    table = None
    if factors is None:
        latents = read_codes(codes)
        asked = list(LABEL_FREE) if metrics is None else _without_factors(asked)
    else:
        latents, table = read_codes_factors(codes, factors, names=factor_names, kinds=factor_kinds)
    if metrics is None and table is not None:
        skipped = undefined_metrics(latents.values, len(table.kinds))
        asked = [name for name in asked if name not in skipped]
    # The table holds the names and kinds.
    options = {"factor_names": None, "factor_kinds": None, "noise": noise}
    families = {family: [n for n in family.names if n in asked] for family in _FAMILIES}
    # All that is read from one matrix of informations shares it and its draws.
    of_one_matrix = ("mig_sup", "jemmig") if groups is None else ("mig_sup",)
    for name in of_one_matrix:
        if families[_FAMILY_OF["mig"]] and families[_FAMILY_OF[name]]:
            families[_FAMILY_OF["mig"]] += families.pop(_FAMILY_OF[name])
    found: dict[str, Score] = {}
    wanted = {family: names for family, names in families.items() if names}
    with progress("scoring", len(wanted)) as advance:
        for family, names in wanted.items():
            own = {"groups": groups} if family.takes_groups and groups is not None else {}
            found |= family.compute(latents, table, names=tuple(names), seed=seed, **options, **own)
            advance()
    return Scores({name: found[name] for name in asked}, skipped)


def _without_factors(metrics: Sequence[str]) -> list[str]:
    """The metrics, if none of them needs factors."""
    needing = [name for name in metrics if name not in LABEL_FREE]
    if needing:
        raise ValueError(
            f"{', '.join(needing)} cannot be computed without factors: give the factors of the "
            f"same rows, or ask for {', '.join(LABEL_FREE)}"
        )
    return list(metrics)


def compare(
    first: object,
    second: object,
    factors: object,
    *,
    metrics: Sequence[str] | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    n_halves: int = 20,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """The scores of two representations of the same rows, and whether they differ.

    For each metric the difference, first less second, with an interval and a two-sided p-value.
    Both representations are scored on the same random halves of the rows, so that what they have in
    common cancels; the spread of the differences, and their change with the number of rows, give
    the interval as for a single score. The p-value takes the difference at this number of rows or
    its extrapolation to all rows, whichever is nearer to 0. It is about the sample of rows alone:
    other seeds of training differ by more, and are not in it.

    Parameters
    ----------
    first, second
        Codes (samples, latents) of the same rows; the numbers of latents may differ.
    factors, metrics, factor_names, factor_kinds, seed
        As of :func:`evaluate`.
    n_halves, confidence
        How many halves, and the nominal coverage of the interval.

    Raises
    ------
    ValueError
        As :func:`evaluate`; or if the numbers of rows differ.

    >>> rng = np.random.default_rng(0)
    >>> factors = rng.integers(4, size=(800, 2))
    >>> mixed = factors @ [[1.0, 1], [1, -1]]
    >>> found = compare(factors.astype(float), mixed, factors, metrics=["mig"])
    >>> found["mig"].difference > 0, found["mig"].p_value < 0.01
    (True, True)
    """
    n_halves = check_positive("n_halves", n_halves, minimum=3)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    one, table = read_codes_factors(first, factors, names=factor_names, kinds=factor_kinds)
    other, _ = read_codes_factors(second, table.values)
    order = matching_rows(table.index_like(other), other.index, "first", "second")
    both = (one, other if order is None else other.take(order))
    scores = [evaluate(codes, table, metrics=metrics, noise=None, seed=seed) for codes in both]
    names = [name for name in scores[0] if name in scores[1]]
    halves = [
        scores_of_halves(codes, table, metrics=names, n_halves=n_halves, seed=seed)
        for codes in both
    ]
    return Comparison(
        {
            name: difference(
                scores[0][name],
                scores[1][name],
                halves[0][name],
                halves[1][name],
                confidence=confidence,
            )
            for name in names
        },
        n_samples=len(one.values),
        seed=seed,
        notes=_notes_of_both(*scores),
    )


def _notes_of_both(first: Scores, second: Scores) -> tuple[str, ...]:
    """Each note once, with whose it is if it is not of both."""
    common = [note for note in first.notes if note in second.notes]
    own = [
        f"{whose}: {note}"
        for whose, scores in (("first", first), ("second", second))
        for note in scores.notes
        if note not in common
    ]
    return (*common, *own)


def scores_of_halves(
    codes: object,
    factors: object,
    *,
    metrics: Sequence[str],
    n_halves: int,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Scores (n_halves,) of random halves of the rows, by metric; ``factors`` may be None.

    Representations of the same rows are scored on the same halves, if ``seed`` is the same.
    """
    table = None
    if factors is None:
        latents = read_codes(codes)
    else:
        latents, table = read_codes_factors(codes, factors, names=factor_names, kinds=factor_kinds)
    n = len(latents.values)

    def half(i: int, advance: Callable[[], None]) -> list[float]:
        rows = np.random.default_rng([seed, 12, i]).permutation(n)[: n // 2]
        own = None if table is None else table.take(rows)
        found = evaluate(latents.take(rows), own, metrics=metrics, noise=None, seed=seed)
        advance()
        return [float(found[name]) for name in metrics]

    with quiet_fits(), progress("comparing", n_halves) as advance:
        draws = np.array(in_threads(partial(half, advance=advance), range(n_halves))).T
    return dict(zip(metrics, draws, strict=True))


def difference(
    first: float,
    second: float,
    first_halves: np.ndarray,
    second_halves: np.ndarray,
    *,
    confidence: float = 0.95,
) -> Difference:
    """How two scores differ, from what both are on the same halves of the rows."""
    from scipy.special import stdtr

    halves = first_halves - second_halves
    value = float(first) - float(second)
    low, high = interval(value, halves, confidence, bounded=False)
    spread = halves.std(ddof=1) * np.sqrt(1 + 1 / len(halves))
    extrapolated = 2 * value - halves.mean()
    nearest = 0.0 if value * extrapolated <= 0 else min(abs(value), abs(extrapolated))
    rounding = ROUNDING * max(abs(float(first)), abs(float(second)), 1.0)
    # A difference without any spread is as sure as so few halves can make it.
    tail = float(stdtr(len(halves) - 1, -nearest / max(spread, 1e-300)))
    p = 1.0 if nearest <= rounding else max(2 * tail, 1e-3)
    return Difference(float(first), float(second), value, (low, high), confidence, p)


def undefined_metrics(codes: np.ndarray, n_factors: int) -> dict[str, str]:
    """Metrics that are not defined for so few latents or factors, and why."""
    n_latents, n_alive = codes.shape[1], codes.shape[1] - constant_columns(codes).size
    reasons = {}
    for name in _ORDER:
        family = _FAMILY_OF[name]
        if n_latents < family.min_latents:
            reasons[name] = f"needs {family.min_latents} latents, and there is {n_latents}"
        elif n_factors < family.min_factors:
            reasons[name] = f"needs {family.min_factors} factors, and there is {n_factors}"
        elif n_alive < family.min_alive:
            reasons[name] = f"needs {family.min_alive} latents that vary, and {n_alive} do"
    return reasons
