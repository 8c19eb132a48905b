"""Factors as a page shows them: a column of levels with names, or of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unweave._factors import read_factors
from unweave.datasets import FactorDataset
from unweave.metrics._information import kinds_of_fractions

__all__ = ["MOST_FACTORS", "factors_of_arrays", "factors_of_dataset", "not_shown"]

MOST_FACTORS = 24
"""Factors that a page shows and scores, the first ones."""
_MOST_LEVELS = 256


def not_shown(n_factors: int) -> list[str]:
    """A note on the factors that a page leaves out, if it leaves out some."""
    if n_factors <= MOST_FACTORS:
        return []
    return [
        f"{MOST_FACTORS} of {n_factors} factors are shown and scored, the first ones: choose "
        "others with the option factors of the dataset, or with --factors of a file"
    ]


def factors_of_dataset(dataset: FactorDataset, rows: np.ndarray) -> list[dict[str, Any]]:
    """The scored factors of the rows; each has a ``name``, a ``kind``, ``levels`` and ``column``.

    ``column`` (rows,) is of numbers of levels, int32, and ``levels`` are their names; or ``levels``
    are None and it is of values, float32.
    """
    found = []
    values = dataset.factors(rows)
    for column, factor in zip(values.T, dataset.scored[:MOST_FACTORS], strict=False):
        if 0 < factor.size <= _MOST_LEVELS:
            names = factor.labels or [_number(value) for value in factor.values]
            found.append(_factor(factor.name, factor.kind, list(names), column))
        elif factor.has_levels:
            own = np.array(factor.values)[column.astype(np.int64)]
            found.append(_factor(factor.name, factor.kind, None, own))
        else:
            found.append(_factor(factor.name, factor.kind, None, column))
    return found


def factors_of_arrays(
    factors: object,
    names: Sequence[str] | None,
    kinds: Sequence[str | None] | None,
    *,
    scored: np.ndarray,
) -> tuple[list[dict[str, Any]], list[str]]:
    """The same of factors (rows, factors) as metrics take them, and notes on them.

    A factor without a kind is continuous if the fractions that it holds in the ``scored`` rows are
    too many for levels: without that, no factor of the table would have a score.

    Raises
    ------
    ValueError
        If they cannot be used.
    """
    table = read_factors(factors, names=names, kinds=kinds)
    found = []
    chosen, notes = kinds_of_fractions(table, kinds, scored[scored < len(table.values)])
    for k, (name, kind) in enumerate(zip(table.labels, table.kinds, strict=True)):
        column = table.values[:, k]
        kind = "continuous" if chosen[k] == "continuous" else kind
        if k in table.words:
            found.append(_factor(name, kind, list(table.words[k]), column))
            continue
        values, levels = np.unique(column, return_inverse=True)
        is_named = len(values) <= _MOST_LEVELS and kind != "continuous" and table.whole[k]
        labels = [_number(value) for value in values] if is_named else None
        found.append(_factor(name, kind, labels, levels if is_named else column))
    return found[:MOST_FACTORS], [*notes, *not_shown(len(found))]


def _factor(name: str, kind: str, levels: list[str] | None, column: np.ndarray) -> dict[str, Any]:
    number = np.int32 if levels is not None else np.float32
    return {"name": name, "kind": kind, "levels": levels, "column": column.astype(number)}


def _number(value: float) -> str:
    return f"{value:.4g}"
