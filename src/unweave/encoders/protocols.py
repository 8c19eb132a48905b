"""Which rows are encoded, and how they are shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unweave._check import check_choice, check_positive
from unweave.datasets import FactorDataset

__all__ = ["PROTOCOLS", "Protocol", "chosen_protocol"]


@dataclass(frozen=True)
class Protocol:
    """A way to measure an encoder."""

    name: str
    n_rows: int
    """Unless another number is asked for."""
    first: bool
    """The first rows of the data set, in its order, instead of rows drawn over the whole grid."""
    unscaled: bool
    """White shown as level 1 of 255."""
    text: str

    def rows(self, dataset: FactorDataset, n_rows: int | None = None, *, seed: int) -> np.ndarray:
        """Row indices (n,); drawn rows do not repeat while there are enough."""
        n = check_positive("rows", self.n_rows if n_rows is None else n_rows)
        return (
            np.arange(min(n, len(dataset))) if self.first else dataset.sample_indices(n, seed=seed)
        )


PROTOCOLS = {
    "sound": Protocol(
        "sound",
        n_rows=10_000,
        first=False,
        unscaled=False,
        text="Rows drawn over the whole grid, every factor, full contrast",
    ),
    "paper": Protocol(
        "paper",
        n_rows=1_000,
        first=True,
        unscaled=True,
        text="The first 1,000 images, in which posX and posY alone vary, at a contrast of 1 in 255",
    ),
}
"""By name: the one that can be defended, and the one behind the paper's Table 1."""


def chosen_protocol(name: str) -> Protocol:
    """The protocol called ``name``.

    Raises
    ------
    ValueError
        If there is none.
    """
    return PROTOCOLS[check_choice("protocol", name, PROTOCOLS)]
