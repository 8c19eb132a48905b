"""Which rows are encoded, and how they are shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unweave._check import check_choice, check_positive
from unweave.datasets import FactorDataset, ImageDataset
from unweave.datasets.selection import scoring_rows

__all__ = ["PROTOCOLS", "Protocol", "ProtocolError", "chosen_protocol"]


class ProtocolError(ValueError):
    """A protocol is not for a dataset."""


@dataclass(frozen=True)
class Protocol:
    """A way to measure an encoder."""

    name: str
    n_rows: int
    """Unless another number is asked for."""
    first: bool
    """The first rows of the dataset, in its order, instead of rows drawn over all of it."""
    unscaled: bool
    """White shown as level 1 of 255."""
    text: str

    def rows(self, dataset: ImageDataset, n_rows: int | None = None, *, seed: int) -> np.ndarray:
        """Row indices (n,), each once: all there are, if there are fewer than asked for.

        Rows of which every scored factor is known are taken, if the dataset has such rows.

        Raises
        ------
        ProtocolError
            If white is to be shown as level 1 of 255, and the images are not black and white.
        """
        n = check_positive("rows", self.n_rows if n_rows is None else n_rows)
        if not self.first:
            return scoring_rows(dataset, n, seed=seed)
        if self.unscaled and not dataset.binary:
            raise ProtocolError(
                f"the {self.name} protocol shows white as level 1 of 255 and is for black and "
                f"white images, and those of {dataset.name} have other levels: use the sound "
                "protocol"
            )
        labelled = dataset.labelled_rows if isinstance(dataset, FactorDataset) else None
        known = np.arange(len(dataset)) if labelled is None or not len(labelled) else labelled
        return known[:n]


PROTOCOLS = {
    "sound": Protocol(
        "sound",
        n_rows=10_000,
        first=False,
        unscaled=False,
        text="Rows drawn over the whole dataset, every factor, full contrast",
    ),
    "paper": Protocol(
        "paper",
        n_rows=1_000,
        first=True,
        unscaled=True,
        text="The first 1,000 images (of dSprites: in these, posX and posY alone vary), at a "
        "contrast of 1 in 255",
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
