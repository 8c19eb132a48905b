"""Every metric at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from unweave._check import constant_columns
from unweave.metrics._groups import GroupsOption
from unweave.metrics._progress import progress
from unweave.metrics.catalogue import BY_DEFAULT, LABEL_FREE, METRICS, Choice, MetricLike, chosen
from unweave.metrics.factor_dependence import FactorDependence, factor_dependence
from unweave.metrics.metric import Metric, score
from unweave.metrics.noise import Noise
from unweave.metrics.sample import Sample
from unweave.metrics.score import Score
from unweave.metrics.scores import Scores

__all__ = ["evaluate", "evaluate_sample", "scores_of", "undefined_metrics", "unsuitable"]


def evaluate(
    codes: object,
    factors: object = None,
    *,
    metrics: Sequence[MetricLike] | MetricLike | Mapping[str, Choice] | None = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    groups: GroupsOption | None = None,
    noise: Noise | None = Noise(),  # noqa: B008 - frozen
    seed: int = 0,
) -> Scores:
    """The metrics asked for, each with chance level and interval.

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
        Names, of :data:`METRICS`, with default options; metrics, as ``MIG(n_bins=40)`` or your own
        :class:`Metric`; mappings of a name and options; ``package.module:MyMetric``. None for those
        of :data:`BY_DEFAULT` that are defined for so many latents and factors. ``skipped`` of what
        is returned lists the others with the reason, and any metric whose formula fails.
    groups
        Groups of latents that take the place of latents in :data:`GROUPED`, in the forms of
        :func:`~unweave.metrics.mutual_information_gap`. The other metrics take each latent.
    factor_names, factor_kinds, noise, seed
        As of :func:`~unweave.metrics.mutual_information_gap`.

    Returns
    -------
    Scores
        With ``dependence``, the two factors that depend on each other most, if they noticeably do:
        then a note names them, and the scores that assume independent factors.

    Raises
    ------
    ValueError
        If the arrays cannot be used, or a metric is unknown or not defined for them, or needs
        factors and there are none; or if every metric fails.

    >>> factors = np.stack(np.meshgrid([0, 1], [0, 1, 2]), -1).reshape(-1, 2)
    >>> scores = evaluate(factors.astype(float), factors, metrics=["mig", "sap"], noise=None)
    >>> {name: float(score) for name, score in scores.items()}
    {'mig': 1.0, 'sap': 1.0}
    """
    sample = Sample.of(codes, factors, factor_names, factor_kinds, groups=groups, seed=seed)
    return evaluate_sample(sample, metrics, noise)


def evaluate_sample(
    sample: Sample,
    metrics: Sequence[MetricLike] | MetricLike | Mapping[str, Choice] | None,
    noise: Noise | None,
) -> Scores:
    """What :func:`evaluate` gives, of a sample that is checked already."""
    found, skipped, asked = scores_of(sample, metrics, noise)
    dependence = factor_dependence(sample)
    if dependence is not None:
        _warn_of_dependence(dependence, found, asked)
    return Scores(found, skipped, dependence=dependence)


def scores_of(
    sample: Sample,
    metrics: Sequence[MetricLike] | MetricLike | Mapping[str, Choice] | None,
    noise: Noise | None,
) -> tuple[dict[str, Score], dict[str, str], dict[str, Choice]]:
    """Scores by key, what was skipped and why, and what was asked for, as of :func:`evaluate`.

    Raises
    ------
    ValueError
        As :func:`evaluate`.
    """
    skipped: dict[str, str] = {}
    if metrics is None:
        skipped = undefined_metrics(sample.codes, len(sample.names)) if sample.names else {}
        names = BY_DEFAULT if sample.names else LABEL_FREE
        metrics = [name for name in names if name not in skipped]
    asked = chosen(metrics)
    _check_factors(asked, sample)
    found: dict[str, Score] = {}
    error: Exception | None = None
    groups_of_metrics = _together(asked, sample)
    with progress("scoring", len(groups_of_metrics)) as advance:
        for together in groups_of_metrics:
            failed: dict[tuple[str, ...], Exception] = {}
            scores = score(_distinct(together), sample, noise, failed=failed)
            for key, one in together.items():
                if one.metric.names in failed:
                    skipped[key] = _reason(failed[one.metric.names])
                    error = failed[one.metric.names]
                else:
                    found[key] = scores[one.name]
            advance()
    if error is not None and not found:
        raise ValueError(
            "no metric could be computed: "
            + "; ".join(f"{key} {reason}" for key, reason in skipped.items())
        ) from error
    return {key: found[key] for key in asked if key in found}, skipped, asked


def unsuitable(asked: Mapping[str, Choice], sample: Sample) -> dict[str, str]:
    """Why metrics that were asked for do not suit the sample, by key."""
    reasons: dict[str, str] = {}
    for key, one in asked.items():
        try:
            one.metric.notes(one.metric.prepared(sample))
        except ValueError as error:
            reasons[key] = str(error)
    return reasons


def _together(asked: Mapping[str, Choice], sample: Sample) -> list[dict[str, Choice]]:
    """Metrics that read the sample alike and take as many draws share them."""
    together: dict[object, dict[str, Choice]] = {}
    for key, one in asked.items():
        whole = one.metric.prepared(sample)
        options = key.removeprefix(one.name)  # two of one name are scored one by one
        alike = (id(whole), one.metric.cost_of(whole), options)
        together.setdefault(alike, {})[key] = one
    return list(together.values())


def _distinct(together: Mapping[str, Choice]) -> list[Metric]:
    """The metrics, each once: some give several scores."""
    found: list[Metric] = []
    for one in together.values():
        if one.metric not in found:
            found.append(one.metric)
    return found


def _warn_of_dependence(
    dependence: FactorDependence, found: Mapping[str, Score], asked: Mapping[str, Choice]
) -> None:
    """A note on each score that assumes independent factors; one sentence, with all of them."""
    assuming = [key for key in found if asked[key].metric.assumes_independence(asked[key].name)]
    for key in assuming:
        found[key].notes += (dependence.note(assuming),)


def _reason(error: Exception) -> str:
    return f"raised {type(error).__name__}: {error}"


def _check_factors(asked: Mapping[str, Choice], sample: Sample) -> None:
    """Refuse metrics that need factors where there are none."""
    needing = [key for key, one in asked.items() if one.metric.needs_factors]
    if needing and not sample.has_factors:
        raise ValueError(
            f"{', '.join(needing)} cannot be computed without factors: give the factors of the "
            f"same rows, or ask for {', '.join(LABEL_FREE)}"
        )


def undefined_metrics(codes: np.ndarray, n_factors: int) -> dict[str, str]:
    """Metrics of ``BY_DEFAULT`` that are not defined for so few latents or factors, and why."""
    n_latents, n_alive = codes.shape[1], codes.shape[1] - constant_columns(codes).size
    reasons = {}
    for name in BY_DEFAULT:
        metric = METRICS[name].metric
        if n_latents < metric.min_latents:
            reasons[name] = f"needs {metric.min_latents} latents, and there is {n_latents}"
        elif metric.needs_factors and n_factors < metric.min_factors:
            reasons[name] = f"needs {metric.min_factors} factors, and there is {n_factors}"
        elif n_alive < metric.min_alive:
            reasons[name] = f"needs {metric.min_alive} latents that vary, and {n_alive} do"
    return reasons
