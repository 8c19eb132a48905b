"""Gaussian latents in groups: latents of a group may depend on each other."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from unweave._settings import Groups
from unweave.models.groups import check_groups
from unweave.models.latents.gaussian import Gaussian

__all__ = ["Grouped"]


class Grouped(Gaussian):
    """Gaussian latents of which each group is to hold one factor (PDisVAE).

    The posterior is that of Gaussian latents. The groups are what ``beta_tc_vae`` makes independent
    of each other, and the units that files of codes and scores take.
    https://arxiv.org/abs/2502.02279.
    """

    title: ClassVar[str] = "Gaussian in groups"
    name: Literal["grouped"] = "grouped"  # type: ignore[assignment]
    groups: Groups = ()
    """Sizes of the groups, in the order of the latents, as 2,2,1."""

    @model_validator(mode="after")
    def _has_groups(self) -> Grouped:
        if not self.groups:
            raise ValueError(
                "the latent space grouped needs the sizes of its groups, as 2,2,1: give them "
                "(--latent-groups), or take the latent space gaussian"
            )
        return self

    def groups_of(self, n_latents: int) -> tuple[int, ...]:
        """Sizes of the groups."""
        return check_groups(self.groups, n_latents)
