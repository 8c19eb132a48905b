"""What values latents take. One file for each kind; a new file needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unweave._check import check_choice
from unweave.models._found import named_kinds
from unweave.models.latents.gaussian import Gaussian
from unweave.models.latents.grid import Grid
from unweave.models.latents.grouped import Grouped
from unweave.models.latents.quantised import Quantised
from unweave.models.latents.space import Latents, LatentSpace, Posterior, Quantisation

__all__ = [
    "LATENT_SPACES",
    "Gaussian",
    "Grid",
    "Grouped",
    "LatentSpace",
    "Latents",
    "Posterior",
    "Quantisation",
    "Quantised",
    "read_latent_space",
]


LATENT_SPACES = named_kinds(__name__, __path__, LatentSpace)
"""Every latent space, by its name."""


def read_latent_space(given: Any) -> LatentSpace:
    """A latent space from its name, or from a table of its name and options.

    Raises
    ------
    ValueError
        If there is none of this name, or it has no such option.
    """
    if isinstance(given, LatentSpace):
        return given
    table = {"name": given} if isinstance(given, str) else given
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise ValueError(
            f"a latent space is a name, as quantised, or a table with a name, not {given!r}"
        )
    return LATENT_SPACES[check_choice("latent space", table["name"], LATENT_SPACES)](**table)
