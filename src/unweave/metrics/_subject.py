"""What metrics that take two plain arrays do first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from unweave._factors import LEVELS_OF_CIRCLE, FactorTable, read_codes_factors
from unweave._tables import CodeTable, matching_columns
from unweave.metrics._groups import GroupsOption, read_groups
from unweave.metrics._information import check_levels, takes_any_value
from unweave.metrics._scale import Scale
from unweave.metrics.significance import Subject, unit_code

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
    groups: GroupsOption | None = None,
    **options: Any,
) -> tuple[Subject, tuple[str, ...]]:
    """The checked arrays with what their scores say of themselves, and the kinds of factors.

    The codes of the subject have neither offset nor scale but for what ``keep`` names, as of
    :meth:`Scale.of`. Kinds are as formulas read them: circular factors of whole numbers are
    ``LEVELS_OF_CIRCLE``. With ``needs_levels`` factors must take few values, or be declared
    continuous or circular and be cut into ``n_bins`` bins; such circular ones are read as
    continuous. With ``groups`` the units that ``min_latents`` counts are groups of latents.
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
    readings = table.readings
    if needs_levels:
        values, readings = _cut_angles(values, readings, n_bins)
        check_levels(values, readings, n_bins)
    if groups is not None:
        units = read_groups(groups, checked.shape[1])
        if len(units) < min_latents:
            raise ValueError(
                f"there is {len(units)} group of latents, and this score compares groups: give at "
                f"least {min_latents}"
            )
        settings = {**settings, "groups": units.to_dict()}
        options |= {"groups": units, "perfect": unit_code(values)}
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
    return subject, readings


def _cut_angles(
    values: np.ndarray, kinds: tuple[str, ...], n_bins: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Factors and kinds in which angles that take any value are continuous from 0 to 2 pi."""
    angles = [
        k
        for k, kind in enumerate(kinds)
        if kind == "circular" and takes_any_value(values[:, k], n_bins)
    ]
    if not angles:
        return values, kinds
    values = values.copy()
    values[:, angles] %= 2 * np.pi
    return values, tuple("continuous" if k in angles else kind for k, kind in enumerate(kinds))


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
