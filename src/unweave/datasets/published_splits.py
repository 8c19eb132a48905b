"""Splits of the literature: which levels of which factors are held out together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from unweave._check import check_choice
from unweave.datasets.dataset import FactorDataset
from unweave.datasets.selection import Columns

__all__ = ["published_mask", "published_splits"]


@dataclass(frozen=True)
class _Rule:
    """An image is held out if every factor named has one of its levels."""

    held_out: Mapping[str, Sequence[int]]
    neither: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Levels of images that are in no part."""


_DSPRITES = {
    # posX above 0.5
    "montero_extrapolation": _Rule({"posX": range(16, 32)}),
    # Squares with posX above 0.5
    "montero_range": _Rule({"shape": [0], "posX": range(16, 32)}),
    # Ellipses, scale above 0.6, 120 to 240 degrees, posX and posY above 0.66
    "montero_element": _Rule(
        {
            "shape": [1],
            "scale": range(2, 6),
            "orientation": range(14, 26),
            "posX": range(21, 32),
            "posY": range(21, 32),
        }
    ),
}
_SHAPES3D = {
    # Floor hue of 0.5 and more
    "montero_extrapolation": _Rule({"floor_hue": range(5, 10)}),
    # Capsules with an object hue of 0.5 and more, or such a floor hue
    "montero_range": _Rule({"shape": [3], "object_hue": range(5, 10)}),
    "montero_range_floor": _Rule({"shape": [3], "floor_hue": range(5, 10)}),
    # Object hue of 0.8 and more, wall hue of 0.2 and less
    "montero_range_wall": _Rule({"object_hue": [8, 9], "wall_hue": [0, 1, 2]}),
    # Cylinders, all hues of 0.8 and more, scale of 1.1 and more, above 20 degrees
    "montero_element": _Rule(
        {
            "floor_hue": [8, 9],
            "wall_hue": [8, 9],
            "object_hue": [8, 9],
            "scale": [5, 6, 7],
            "shape": [1],
            "orientation": [12, 13, 14],
        }
    ),
}
_MPI3D = {
    # Horizontal axis above 20; at 20 in no part
    "montero_extrapolation": _Rule({"horizontal_axis": range(21, 40)}, {"horizontal_axis": [20]}),
    # Brown and olive
    "montero_extrapolation_color": _Rule({"object_color": [4, 5]}),
    # Cylinders, or red objects, with a horizontal axis below 20
    "montero_range": _Rule({"object_shape": [2], "horizontal_axis": range(20)}),
    "montero_range_color": _Rule({"object_color": [2], "horizontal_axis": range(20)}),
    # A large olive cylinder, camera in the middle, on sea green, both axes above 35
    "montero_element": _Rule(
        {
            "object_color": [5],
            "object_shape": [2],
            "object_size": [1],
            "camera_height": [1],
            "background_color": [1],
            "horizontal_axis": range(36, 40),
            "vertical_axis": range(36, 40),
        }
    ),
}
_RULES = {
    **dict.fromkeys(("dsprites", "color_dsprites", "noisy_dsprites"), _DSPRITES),
    "background_dsprites": _DSPRITES,
    **dict.fromkeys(("shapes3d", "rooms"), _SHAPES3D),
    **dict.fromkeys(("mpi3d_toy", "mpi3d_realistic", "mpi3d_real"), _MPI3D),
}
"""By the name of a dataset, and of a split."""


def published_splits(dataset: FactorDataset) -> tuple[str, ...]:
    """Names of the splits that the literature has for this dataset.

    Those of Montero et al. (2021, https://openreview.net/forum?id=qbH974jKUVy), as their code has
    them: ``montero_extrapolation``, where values are held out; ``montero_range``, where one level
    is not seen with a range of another factor; and ``montero_element``, where one small range of
    each factor is not seen with the others. Rooms has those of Shapes3D, which has the same
    factors.

    >>> from unweave.datasets import DSprites
    >>> published_splits(DSprites())
    ('montero_extrapolation', 'montero_range', 'montero_element')
    """
    return tuple(_RULES.get(dataset.name, ()))


def published_mask(dataset: FactorDataset, name: str) -> np.ndarray:
    """The side (rows,) of each image: 0 to learn from, 1 held out, -1 neither.

    Raises
    ------
    ValueError
        If there is no such split of the dataset, or it has not all the factors.
    """
    check_choice(f"split of {dataset.name}", name, published_splits(dataset))
    rule = _RULES[dataset.name][name]
    columns = Columns(dataset)
    missing = [factor for factor in rule.held_out if factor not in columns]
    if missing:
        raise ValueError(
            f"the split {name} is made by {', '.join(rule.held_out)}, and {missing[0]} does not "
            f"vary here: take all of {dataset.name}, or another split"
        )
    side = np.ones(len(dataset), np.int8)
    for factor, levels in rule.held_out.items():
        side &= np.isin(columns[factor], list(levels))
    for factor, levels in rule.neither.items():
        side[np.isin(columns[factor], list(levels))] = -1
    return side
