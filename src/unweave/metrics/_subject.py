"""What metrics that take two plain arrays do first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from unweave._check import check_codes_factors, check_factor_kinds, factor_labels
from unweave.metrics._scale import Scale, number_kind
from unweave.metrics.significance import Subject

__all__ = ["subject_of"]


def subject_of(
    codes: object,
    factors: object,
    settings: Mapping[str, Any],
    *,
    factor_names: Sequence[str] | None,
    factor_kinds: Sequence[str] | None,
    seed: int,
    min_latents: int = 1,
    min_factors: int = 1,
    test: tuple[object, object] | None = None,
    keep: Collection[str] = (),
    notes: tuple[str, ...] = (),
    **options: Any,
) -> tuple[Subject, tuple[str, ...] | None]:
    """The checked arrays with what their scores say of themselves, and the kinds of factors.

    The codes of the subject have neither offset nor scale but for what ``keep`` names, as of
    :meth:`Scale.of`.
    """
    factor_names, factor_kinds = factor_labels(factors, factor_names, factor_kinds)
    given = codes
    codes, factors = check_codes_factors(
        codes, factors, min_latents=min_latents, names=factor_names
    )
    n_factors = factors.shape[1]
    if n_factors < min_factors:
        raise ValueError(
            f"factors have {n_factors} column(s), and this score compares factors: pass at least "
            f"{min_factors}"
        )
    kinds = check_factor_kinds(factor_kinds, n_factors) if factor_kinds is not None else None
    for k, kind in enumerate(kinds or ()):
        if kind == "circular" and factors.dtype.kind == "i" and factors[:, k].min() < 0:
            raise ValueError(
                f"factor {k} is circular and has the level {factors[:, k].min()}: levels of a "
                "circle are whole numbers from 0 on, once around, or angles in radians"
            )
    names = list(factor_names or map(str, range(n_factors)))
    scale = Scale.of(codes, keep)
    subject = Subject(
        scale.apply(codes),
        factors,
        names,
        settings,
        seed,
        notes=(*notes, *scale.notes(number_kind(given, codes))),
        test=_check_test(test, codes.shape[1], scale),
        **options,
    )
    return subject, kinds


def _check_test(
    test: tuple[object, object] | None, n_latents: int, scale: Scale
) -> tuple[np.ndarray, np.ndarray] | None:
    """Codes, in the ``scale`` of the others, and factors of the rows that predictors are judged on.

    Raises
    ------
    ValueError
        If they cannot be used, or are of another number of latents.
    """
    if test is None:
        return None
    codes, factors = check_codes_factors(*test)
    if codes.shape[1] != n_latents:
        raise ValueError(
            f"test codes have {codes.shape[1]} latents and codes {n_latents}: both must come from "
            "the same encoder"
        )
    return scale.apply(codes), factors
