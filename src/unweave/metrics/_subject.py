"""What metrics that take two plain arrays do first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unweave._check import check_codes_factors, check_factor_kinds, factor_labels
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
    **options: Any,
) -> tuple[Subject, tuple[str, ...] | None]:
    """The checked arrays with what their scores say of themselves, and the kinds of factors."""
    factor_names, factor_kinds = factor_labels(factors, factor_names, factor_kinds)
    codes, factors = check_codes_factors(
        codes, factors, min_latents=min_latents, names=factor_names
    )
    n_factors = factors.shape[1]
    kinds = check_factor_kinds(factor_kinds, n_factors) if factor_kinds is not None else None
    for k, kind in enumerate(kinds or ()):
        if kind == "circular" and factors.dtype.kind == "i" and factors[:, k].min() < 0:
            raise ValueError(
                f"factor {k} is circular and has the level {factors[:, k].min()}: levels of a "
                "circle are whole numbers from 0 on, once around, or angles in radians"
            )
    names = list(factor_names or map(str, range(n_factors)))
    return Subject(codes, factors, names, settings, seed, **options), kinds
