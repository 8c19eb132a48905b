"""Groups of latents that a score takes as one unit each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unweave._check import check_names

__all__ = ["Groups", "GroupsOption", "read_groups"]

GroupsOption = Sequence[int] | Sequence[Sequence[int]] | Mapping[str, Sequence[int]]
"""Sizes of consecutive blocks, or the latents of each group, with names if it is a mapping."""

_FORMS = (
    "give the sizes of consecutive blocks, as [1, 2, 1], or the latents of each group, as "
    "[[0], [1, 2], [3]], or a mapping from names to latents"
)


@dataclass(frozen=True)
class Groups:
    """Each latent belongs to one group."""

    names: tuple[str, ...]
    members: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.members)

    def to_dict(self) -> dict[str, list[int]]:
        """The latents of each group by its name, for JSON."""
        return {name: list(group) for name, group in zip(self.names, self.members, strict=True)}

    def sums(self, matrix: np.ndarray) -> np.ndarray:
        """Sum (groups, factors) of the rows of each group of ``matrix`` (latents, factors)."""
        return np.stack([matrix[list(group)].sum(axis=0) for group in self.members])

    def any_of(self, latents: np.ndarray) -> np.ndarray:
        """Whether (groups,) some latent of each group is one of ``latents`` (latents,)."""
        return np.array([latents[list(group)].any() for group in self.members])

    def joint(self, bins: np.ndarray) -> np.ndarray:
        """Bins (groups, samples) of all latents of a group together, from ``bins`` of each.

        Those of a group of one are its own; others are numbered from 0 without gaps.
        """
        joint = np.empty((len(self), bins.shape[1]), dtype=bins.dtype)
        for unit, group in enumerate(self.members):
            cells = bins[group[0]]
            for j in group[1:]:
                pairs = cells.astype(np.int64) * (int(bins[j].max()) + 1) + bins[j]
                cells = np.unique(pairs, return_inverse=True)[1]
            joint[unit] = cells
        return joint


def read_groups(groups: GroupsOption, n_latents: int) -> Groups:
    """The groups that a user gave for ``n_latents`` latents.

    Raises
    ------
    ValueError
        If they are of another form, or a latent is in none or in two of them.
    """
    if isinstance(groups, str) or not hasattr(groups, "__iter__"):
        raise ValueError(f"groups are {groups!r}: {_FORMS}")
    given: list[Any]
    names = list(groups) if isinstance(groups, Mapping) else None
    given = list(groups.values()) if isinstance(groups, Mapping) else list(groups)
    if names is None and given and all(_is_whole(size) for size in given):
        members = _blocks([int(size) for size in given], n_latents)
    else:
        members = [_latents(group, n_latents) for group in given]
    listed = [j for group in members for j in group]
    twice = sorted({j for j in listed if listed.count(j) > 1})
    if twice:
        raise ValueError(f"latents {twice[:10]} are listed more than once in groups: once is right")
    left = sorted(set(range(n_latents)) - set(listed))
    if left:
        raise ValueError(
            f"latents {left[:10]} are in none of the groups: every latent belongs to one, be it a "
            "group of its own"
        )
    labels = [_label(group) for group in members] if names is None else names
    return Groups(check_names("group", labels, len(members)), tuple(map(tuple, members)))


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _blocks(sizes: list[int], n_latents: int) -> list[list[int]]:
    if min(sizes) < 1 or sum(sizes) != n_latents:
        raise ValueError(
            f"sizes of groups {sizes} are {sum(sizes)} latents in all and codes have {n_latents}: "
            "sizes are at least 1 and sum to the number of latents"
        )
    ends = np.cumsum(sizes).tolist()
    return [list(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]


def _latents(group: Any, n_latents: int) -> list[int]:
    if isinstance(group, str | int | np.integer) or not hasattr(group, "__iter__"):
        raise ValueError(f"{group!r} is not a group of latents: {_FORMS}")
    latents = list(group)
    if not latents:
        raise ValueError(f"a group has no latents: {_FORMS}")
    for j in latents:
        if not _is_whole(j) or not 0 <= j < n_latents:
            raise ValueError(
                f"{j!r} in groups is not a latent: they are numbered from 0 to {n_latents - 1}"
            )
    return [int(j) for j in latents]


def _label(group: Sequence[int]) -> str:
    """``0+3`` for two latents, ``2-5`` for a run of more."""
    if len(group) > 2 and list(group) == list(range(group[0], group[-1] + 1)):
        return f"{group[0]}-{group[-1]}"
    return "+".join(map(str, group))
