"""The formulas: what a dictionary scores, before anything is known of noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from unweave.metrics.dictionary.case import Case
from unweave.metrics.dictionary.firings import Pairs, Tally
from unweave.metrics.dictionary.matching import matched, nearest

__all__ = ["FACTS", "Facts", "Reading", "read_directions", "read_rows"]

_NONE = np.empty(0, np.int64)
_RECOVERED = 0.9  # cosine from which a feature counts as found


@dataclass(frozen=True)
class Facts:
    """What is known of a score before it is computed."""

    top: float | None = 1.0
    """The most it can be."""
    bottom: float | None = 0.0
    is_adjusted: bool = True
    """Whether a larger one is better, so that chance can be taken out."""
    is_tested: bool = True
    """Whether a p-value says anything."""
    perfect: float | None = 1.0
    """What the features themselves score, where that does not depend on the data."""
    of_codes: bool = False
    """Whether it follows from the codes alone, whatever rows they belong to."""


FACTS = {
    "dictionary_mcc": Facts(bottom=-1.0),
    "uniqueness": Facts(perfect=None),
    "l0": Facts(top=None, is_adjusted=False, is_tested=False, perfect=None, of_codes=True),
    "dead_latents": Facts(is_adjusted=False, is_tested=False, perfect=None, of_codes=True),
    "explained_variance": Facts(bottom=None, perfect=None),
    "shrinkage": Facts(top=None, is_adjusted=False, is_tested=False, perfect=None, of_codes=True),
    "firing_precision": Facts(),
    "firing_recall": Facts(),
    "firing_f1": Facts(),
    "absorption_gap": Facts(bottom=-1.0, is_adjusted=False, perfect=0.0),
}
"""Every score by its name."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A value, and what it is a mean of."""

    value: float
    units: np.ndarray = field(default_factory=lambda: np.empty(0))
    labels: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    """Labels of the units: positions (units,) of latents or features, or (units, 2) for edges."""
    halves: np.ndarray = field(default_factory=lambda: np.empty(0))
    """The same of random halves of the rows."""
    extras: Mapping[str, float] = field(default_factory=dict)


def read_directions(case: Case) -> tuple[dict[str, Reading], Pairs]:
    """Scores of the directions, and the pairs of latents and features that rows are judged by."""
    if case.features is None:
        return {}, Pairs(*(np.empty(0, np.int64) for _ in range(5)))
    signed, n_latents = case.options.signed, len(case.directions)
    pairs = matched(case.directions, case.features, signed=signed)
    place, _ = nearest(case.directions, case.features, signed=signed)
    sharing = np.bincount(place, minlength=len(case.features))[place]
    all_latents = np.arange(n_latents)
    recovered = (pairs.cosines >= _RECOVERED).sum() / len(case.features)
    readings = {
        "dictionary_mcc": Reading(
            float(pairs.cosines.mean()),
            pairs.cosines,
            pairs.features,
            extras={"recovered": float(recovered)},
        ),
        "uniqueness": Reading(len(np.unique(place)) / n_latents, 1 / sharing, all_latents),
    }
    judged = (all_latents, place)
    if case.options.judged_by == "one_to_one":
        judged = (pairs.latents, pairs.features)
    return readings, Pairs(*judged, *_edges(case))


def _edges(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Child and parent of each edge, and the latent nearest to the parent."""
    assert case.features is not None
    tree = np.full(len(case.features), -1) if case.parents is None else case.parents
    children = np.flatnonzero(tree >= 0)
    if not len(children):
        return (np.empty(0, np.int64),) * 3
    parents, edge = np.unique(tree[children], return_inverse=True)
    latents, _ = nearest(case.features[parents], case.directions, signed=case.options.signed)
    return children, tree[children], latents[edge]


def read_rows(case: Case, pairs: Pairs, tally: Tally) -> dict[str, Reading]:
    """Scores of rows, of which the first weights are those of all; undefined ones are left out."""
    assert case.rows is not None
    found = {
        "l0": _reading(tally.l0),
        "dead_latents": _reading(tally.dead, tally.fired[0] == 0, np.arange(tally.fired.shape[1])),
    }
    if case.rows.points is not None:
        found["explained_variance"] = _reading(tally.explained_variance)
        found["shrinkage"] = _reading(tally.shrinkage)
    if case.rows.activations is not None:
        for name, table in {
            "firing_precision": tally.precision,
            "firing_recall": tally.recall,
            "firing_f1": tally.f1,
        }.items():
            found[name] = _reading(table.mean(axis=1), table[0], pairs.latents)
    if case.rows.activations is not None and len(pairs.children):
        seen = np.isfinite(tally.gaps[0])
        edges = np.stack([pairs.parents, pairs.children], axis=1)
        found["absorption_gap"] = _reading(
            _mean_of_known(tally.gaps), tally.gaps[0][seen], edges[seen]
        )
    return {name: reading for name, reading in found.items() if np.isfinite(reading.value)}


def _reading(values: np.ndarray, units: np.ndarray = _NONE, labels: np.ndarray = _NONE) -> Reading:
    """A reading of values (weights,): the first is of all rows, the others of halves."""
    halves = values[1:]
    return Reading(float(values[0]), units, labels, halves[np.isfinite(halves)])


def _mean_of_known(table: np.ndarray) -> np.ndarray:
    """Mean (rows,) of the numbers in each row; nan where there are none."""
    known = np.isfinite(table)
    total = np.where(known, table, 0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)
