"""What metrics that take two plain arrays do first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from unweave._factors import LEVELS_OF_CIRCLE, FactorTable, read_codes_factors
from unweave._tables import CodeTable, matching_columns
from unweave.metrics._information import check_levels
from unweave.metrics._scale import Scale
from unweave.metrics.significance import Subject

__all__ = ["subject_of"]


def subject_of(
    codes: object,
    factors: object,
    settings: Mapping[str, Any],
    *,
    factor_names: Sequence[str] | None,
    factor_kinds: Sequence[str | None] | None,
    seed: int,
    min_latents: int = 1,
    min_factors: int = 1,
    needs_levels: bool = True,
    n_bins: int = 20,
    notes: tuple[str, ...] = (),
    test: tuple[object, object] | None = None,
    keep: Collection[str] = (),
    **options: Any,
) -> tuple[Subject, tuple[str, ...]]:
    """The checked arrays with what their scores say of themselves, and the kinds of factors.

    The codes of the subject have neither offset nor scale but for what ``keep`` names, as of
    :meth:`Scale.of`. Kinds are as formulas read them: circular factors of whole numbers are
    ``LEVELS_OF_CIRCLE``. With ``needs_levels`` factors must take few values, or be declared
    continuous and be cut into ``n_bins`` bins.
    """
    found, table = read_codes_factors(
        codes, factors, min_latents=min_latents, names=factor_names, kinds=factor_kinds
    )
    checked = found.values
    values, n_factors = table.values, len(table.kinds)
    if n_factors < min_factors:
        raise ValueError(
            f"factors have {n_factors} column(s), and this score compares factors: pass at least "
            f"{min_factors}"
        )
    for k, kind in enumerate(table.readings):
        if kind == LEVELS_OF_CIRCLE and values[:, k].min() < 0:
            raise ValueError(
                f"factor {k} is circular and has the level {values[:, k].min():g}: levels of a "
                "circle are whole numbers from 0 on, once around, or angles in radians"
            )
    if needs_levels:
        check_levels(values, table.readings, n_bins)
    scale = Scale.of(checked, keep)
    subject = Subject(
        scale.apply(checked),
        values,
        table.labels,
        settings,
        seed,
        notes=(*table.notes, *notes, *scale.notes(found.precisions)),
        words={table.labels[k]: words for k, words in table.words.items()},
        test=_check_test(test, found, scale, table),
        **options,
    )
    return subject, table.readings


def _check_test(
    test: tuple[object, object] | None, codes: CodeTable, scale: Scale, table: FactorTable
) -> tuple[np.ndarray, np.ndarray] | None:
    """Codes, in the ``scale`` of the others, and factors of the rows that predictors are judged on.

    Raises
    ------
    ValueError
        If they cannot be used, or are of other latents or factors.
    """
    if test is None:
        return None
    found, rows = read_codes_factors(*test, like=(codes, table))
    checked = found.values
    n_latents = len(scale.unit)
    if checked.shape[1] != n_latents:
        raise ValueError(
            f"test codes have {checked.shape[1]} latents and codes {n_latents}: both must come "
            "from the same encoder"
        )
    order = matching_columns(codes.columns, found.columns, "codes", "test codes")
    return scale.apply(checked if order is None else checked[:, order]), rows.values
