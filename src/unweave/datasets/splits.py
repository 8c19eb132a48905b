"""A dataset in two parts: images to learn from, and images with factors that are held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from unweave._check import check_choice, suggestion
from unweave._random import Stream, generator
from unweave.datasets.dataset import FactorDataset
from unweave.datasets.factors import Factor
from unweave.datasets.published_splits import published_mask, published_splits
from unweave.datasets.selection import Columns, FactorSelection

__all__ = ["PARTS", "SPLITS", "Part", "Split", "split"]

SPLITS = ("random", "composition", "interpolation", "extrapolation")
"""Kinds of splits that are made for any dataset with factors."""

Part = Literal["train", "held_out"]
PARTS: tuple[str, ...] = get_args(Part)
"""The parts of a split, as dataset names have them."""

_SHARE = 0.3
_Mask = np.ndarray | Callable[[Mapping[str, np.ndarray]], np.ndarray]


class Split(NamedTuple):
    """The two parts of a dataset; no image is in both."""

    train: FactorDataset
    """Images to learn from."""
    held_out: FactorDataset
    """Images to judge on."""


def split(
    dataset: FactorDataset,
    kind: str | _Mask,
    *,
    factors: Sequence[str] | None = None,
    share: float | None = None,
    seed: int | None = None,
) -> Split:
    r"""A dataset in a part to learn from and a part that is held out.

    With :math:`H_k` the levels of the chosen factor :math:`k` that are held out, an image is held
    out

    - in a ``composition`` split if **all** chosen factors are in their :math:`H_k`, the last
      levels of each: every level is seen in training, and some combinations are not;
    - in an ``interpolation`` split if **any** chosen factor is in its :math:`H_k`, levels spread
      evenly between the first and the last one;
    - in an ``extrapolation`` split if **any** chosen factor is in its :math:`H_k`, the last levels;
    - in a ``random`` split by chance, whatever its factors are.

    Parameters
    ----------
    dataset
        All images.
    kind
        One of :data:`SPLITS`; the name of a split by Montero et al. for this dataset, as
        ``montero_range`` (:func:`published_splits` lists them); booleans (rows,), true where an
        image is held out; or a function that makes them from a mapping of each factor's values
        (rows,), as of :meth:`~unweave.datasets.FactorDataset.where`.
    factors
        The chosen factors; by default all that are scored and ordered, which circular ones are
        not. Those that are named may be circular, and are cut at their first level; for
        ``composition`` they may be categorical.
    share
        How much is held out, in (0, 1); by default 0.3. Of a full grid it is about this share
        :math:`s` of the images, of any kind of split: :math:`H_k` has a share of :math:`s^{1/K}`
        of the levels of each of :math:`K` factors for ``composition``, else
        :math:`1 - (1 - s)^{1/K}`, and at least one level.
    seed
        Seed of a ``random`` split; by default 0.

    Raises
    ------
    ValueError
        If there is no such split or factor, a factor cannot be split in this way, an option means
        nothing for this kind, the mask is not one boolean for each image, or a part is empty.

    Notes
    -----
    The four kinds follow Schott et al. (2022), https://arxiv.org/abs/2107.08221, whose own masks
    lie in the files of their benchmark. Images in which a chosen factor is unknown are in neither
    part.

    >>> from unweave.datasets import Rooms
    >>> train, held_out = split(Rooms(), "composition", factors=["scale", "shape"])
    >>> len(train), len(held_out)
    (360000, 120000)
    """
    if not isinstance(kind, str):
        _refuse_options("a mask", factors=factors, share=share, seed=seed)
        return _parts(dataset, _read_mask(dataset, kind), "the mask")
    chosen_share = _SHARE if share is None else share
    if not 0 < chosen_share < 1:
        raise ValueError(f"the share that is held out must lie between 0 and 1, and is {share}")
    if kind == "random":
        _refuse_options("a random split", factors=factors)
        side = _random_side(len(dataset), chosen_share, seed or 0)
        return _parts(dataset, side, "the random split")
    if kind in SPLITS:
        _refuse_options(f"the {kind} split", seed=seed)
        side = _side_by_factors(dataset, kind, factors, chosen_share)
        return _parts(dataset, side, f"the {kind} split")
    published = published_splits(dataset)
    if kind not in published:
        known = (*SPLITS, *published)
        raise ValueError(
            f"unknown split {kind!r} of {dataset.name}{suggestion(kind, known)}; choose from "
            f"{', '.join(known)}, or give a mask"
        )
    _refuse_options(f"the split {kind}", factors=factors, share=share, seed=seed)
    return _parts(dataset, published_mask(dataset, kind), f"the split {kind}")


def _parts(dataset: FactorDataset, side: np.ndarray, what: str) -> Split:
    """Both parts by the side (rows,) of each image: 0 to learn from, 1 held out, -1 neither."""
    n = [int((side == value).sum()) for value in (0, 1)]
    if 0 in n:
        empty = "nothing to learn from" if n[0] == 0 else "nothing that is held out"
        raise ValueError(
            f"{what} leaves {empty}: of the {len(dataset):,} images of {dataset.name}, {n[0]:,} "
            f"are to learn from and {n[1]:,} are held out; hold out another part"
        )
    return Split(*(FactorSelection(dataset, np.flatnonzero(side == value)) for value in (0, 1)))


def _read_mask(dataset: FactorDataset, mask: _Mask) -> np.ndarray:
    found = np.asarray(mask(Columns(dataset)) if callable(mask) else mask)
    if found.dtype != bool or found.shape != (len(dataset),):
        raise ValueError(
            f"a mask of what is held out must be booleans of shape ({len(dataset)},), one for each "
            f"image of {dataset.name}, not {found.dtype} of shape {found.shape}"
        )
    return found.astype(np.int8)


def _random_side(n: int, share: float, seed: int) -> np.ndarray:
    side = np.zeros(n, np.int8)
    side[generator(seed, Stream.SPLIT).permutation(n)[: round(share * n)]] = 1
    return side


def _side_by_factors(
    dataset: FactorDataset, kind: str, names: Sequence[str] | None, share: float
) -> np.ndarray:
    chosen = _chosen(dataset, kind, names)
    of_each = (
        share ** (1 / len(chosen))
        if kind == "composition"
        else 1 - (1 - share) ** (1 / len(chosen))
    )
    columns = Columns(dataset)
    held_out: np.ndarray | None = None
    unknown = np.zeros(len(dataset), bool)
    for factor in chosen:
        values = columns[factor.name]
        unknown |= np.isnan(values) if values.dtype.kind == "f" else False
        own = _held_out(factor, values, kind, of_each, dataset.name)
        combine = np.logical_and if kind == "composition" else np.logical_or
        held_out = own if held_out is None else combine(held_out, own)
    assert held_out is not None
    return np.where(unknown, np.int8(-1), held_out.astype(np.int8))


def _chosen(dataset: FactorDataset, kind: str, names: Sequence[str] | None) -> list[Factor]:
    """The factors by which images are held out."""
    columns = {factor.name: factor for factor in dataset.factor_columns}
    if names is None:
        chosen = [f for f in dataset.scored if f.kind in ("ordinal", "continuous")]
        if not chosen:
            raise ValueError(
                f"no factor of {dataset.name} is ordered, so that none is split by default: name "
                f"those to split, of {', '.join(columns)} (split_factors=NAME,NAME in a name)"
            )
        return chosen
    if not names:
        raise ValueError("no factor is named to split by: name at least one")
    chosen = [columns[check_choice(f"factor of {dataset.name}", n, columns)] for n in names]
    unordered = [factor.name for factor in chosen if factor.kind == "categorical"]
    if kind != "composition" and unordered:
        raise ValueError(
            f"factor {unordered[0]!r} of {dataset.name} is categorical, and {kind} asks for an "
            "order of its levels: name ordered factors, or take composition"
        )
    return chosen


def _held_out(factor: Factor, values: np.ndarray, kind: str, share: float, name: str) -> np.ndarray:
    """Which images (rows,) have a value of the factor that is held out."""
    if not factor.has_levels:
        ends = ((1 - share) / 2, (1 + share) / 2) if kind == "interpolation" else (1 - share, 1.0)
        low, high = np.nanquantile(values, ends)
        return (values > low) & (values <= high)
    least = 3 if kind == "interpolation" else 2
    if factor.size < least:
        raise ValueError(
            f"factor {factor.name!r} of {name} has {factor.size} level{'s' * (factor.size > 1)}, "
            f"and {kind} needs at least {least}: name other factors"
        )
    if kind == "interpolation":
        inner = factor.size - 2
        n = int(np.clip(round(share * factor.size), 1, inner))
        return np.isin(values, 1 + (np.arange(n) + 0.5) * inner // n)
    n = int(np.clip(round(share * factor.size), 1, factor.size - 1))
    return values >= factor.size - n


def _refuse_options(what: str, **options: object) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise ValueError(f"the option {given[0]} means nothing for {what}: leave it out")
