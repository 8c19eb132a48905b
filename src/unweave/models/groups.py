"""Groups of latents that lie next to each other."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["check_groups"]


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
