"""Groups of latents that lie next to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

__all__ = ["Groups", "check_groups"]


def _sizes(value: Any) -> tuple[int, ...]:
    words = value.split(",") if isinstance(value, str) else value
    try:
        sizes = tuple(int(word) if isinstance(word, str) else word for word in words)
    except (TypeError, ValueError):
        sizes = (0,)
    if not all(type(size) is int and size >= 1 for size in sizes):
        raise ValueError(
            "groups are numbers of latents, each a whole number of at least 1, as 2,2,1, not "
            f"{value!r}"
        )
    return sizes


Groups = Annotated[tuple[int, ...], BeforeValidator(_sizes)]
"""Sizes of groups of latents, in the order of the latents; or text, as ``2,2,1``."""


def check_groups(groups: Sequence[int], n_latents: int) -> tuple[int, ...]:
    """The sizes of the groups; without any, each latent is a group of its own.

    Raises
    ------
    ValueError
        If they do not sum to the number of latents.
    """
    if groups and sum(groups) != n_latents:
        raise ValueError(
            f"groups of {', '.join(map(str, groups))} are {sum(groups)} latents, and the model has "
            f"{n_latents}: give sizes that sum to {n_latents}"
        )
    return tuple(groups) or (1,) * n_latents
