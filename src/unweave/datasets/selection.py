"""Some rows of a dataset, as a dataset."""

from __future__ import annotations

import copy
import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from unweave._check import check_choice, check_indices, check_positive
from unweave._random import Stream, generator
from unweave.datasets.dataset import FactorDataset, GridDataset, ImageDataset, known_rows
from unweave.datasets.factors import FactorSpace

__all__ = [
    "Columns",
    "FactorSelection",
    "Selection",
    "check_n_rows",
    "rows_of",
    "scoring",
    "scoring_rows",
    "selected",
    "subset",
]


class Selection(ImageDataset):
    """Rows of a dataset.

    Parameters
    ----------
    dataset
        All images.
    rows
        Rows (n,) that are taken, in this order.
    """

    def __init__(self, dataset: ImageDataset, rows: np.ndarray) -> None:
        self.dataset = dataset
        self.rows = check_indices(rows, len(dataset))
        self.name, self.image_shape = dataset.name, dataset.image_shape
        self.binary = dataset.binary

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} of {self.dataset!r})"

    @functools.cached_property
    def identity(self) -> str:
        """That of the dataset and of the rows."""
        digest = hashlib.sha256(self.rows.tobytes()).hexdigest()[:16]
        return f"{self.dataset.identity}-rows-{digest}"

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> Selection:
        """Bring all images of the dataset into the cache, if they are kept there."""
        self.dataset.prepare(progress)
        return self

    def images(self, indices: object) -> np.ndarray:
        """Images (n, height, width, channels) uint8."""
        return self.dataset.images(self.rows[check_indices(indices, len(self))])

    def stored(self, indices: object) -> np.ndarray:
        """The images as the dataset stores them."""
        return self.dataset.stored(self.rows[check_indices(indices, len(self))])


class FactorSelection(Selection, FactorDataset):
    """Rows of a dataset whose factors are known, as a part of a grid.

    A selection of a selection is one of the dataset itself.
    """

    dataset: FactorDataset
    space: FactorSpace | None = None
    """The grid that the rows are part of, if the dataset is one."""

    def __init__(self, dataset: FactorDataset, rows: np.ndarray) -> None:
        if isinstance(dataset, FactorSelection):
            rows = dataset.rows[check_indices(rows, len(dataset))]
            dataset = dataset.dataset
        super().__init__(dataset, rows)
        self.factor_columns, self.nuisances = dataset.factor_columns, dataset.nuisances
        if isinstance(dataset, GridDataset):
            self.space = dataset.space

    def all_factors(self, indices: object) -> np.ndarray:
        """Every factor (n, columns), as of the dataset: levels keep their numbers."""
        return self.dataset.all_factors(self.rows[check_indices(indices, len(self))])

    @functools.cached_property
    def ordered_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows (n,) in ascending order, and the place (n,) of each in the selection."""
        places = np.argsort(self.rows, kind="stable")
        return self.rows[places], places

    @functools.cached_property
    def _labelled(self) -> np.ndarray | None:
        # Not those of the dataset: other factors may be scored here than there.
        return None if self.space is not None else known_rows(self)

    @property
    def labelled_rows(self) -> np.ndarray | None:
        """Rows of which every scored factor is known; None if that is so of all rows."""
        return self._labelled


class Columns(Mapping[str, np.ndarray]):
    """Values (rows,) of factors by name.

    A column is made when it is asked for, because a large grid has many rows.
    """

    def __init__(self, dataset: FactorDataset) -> None:
        self.dataset = dataset
        self._names = [factor.name for factor in dataset.factor_columns]

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            column = self._names.index(name)
        except ValueError:
            raise KeyError(
                f"{self.dataset.name} has no factor {name!r}; it has {', '.join(self._names)}"
            ) from None
        if isinstance(self.dataset, GridDataset):
            sizes = self.dataset.space.sizes
            shape = [-1 if i == column else 1 for i in range(len(sizes))]
            levels = np.arange(sizes[column]).reshape(shape)
            return np.broadcast_to(levels, sizes).reshape(-1)
        return self._table[:, column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @functools.cached_property
    def _table(self) -> np.ndarray:
        return self.dataset.all_factors(np.arange(len(self.dataset)))


def selected(dataset: FactorDataset, mask: object) -> FactorSelection:
    """The rows of the dataset for which ``mask`` is true.

    Raises
    ------
    ValueError
        As :meth:`~unweave.datasets.FactorDataset.where`.
    """
    if isinstance(mask, Callable):  # type: ignore[arg-type]
        mask = mask(Columns(dataset))  # type: ignore[operator]
    chosen = np.asarray(mask)
    if chosen.dtype != bool or chosen.shape != (len(dataset),):
        raise ValueError(
            f"a mask must be booleans of shape ({len(dataset)},), one for each image of "
            f"{dataset.name}, not {chosen.dtype} of shape {chosen.shape}"
        )
    if not chosen.any():
        raise ValueError(f"the mask is false for all {len(dataset):,} images of {dataset.name}")
    return FactorSelection(dataset, np.flatnonzero(chosen))


def scoring(
    dataset: FactorDataset,
    factors: Sequence[str] | None = None,
    *,
    nuisances: Sequence[str] = (),
) -> FactorDataset:
    """The same images with a choice of the factors that are scored.

    Parameters
    ----------
    dataset
        The images.
    factors
        Names of the factors that are scored; by default all but the dataset's nuisances.
    nuisances
        Names of factors that are not scored, besides those that are left out already.

    Raises
    ------
    ValueError
        If there is no such factor, or none is left to be scored.
    """
    names = [factor.name for factor in dataset.factor_columns]
    for name in (*(factors or ()), *nuisances):
        check_choice(f"factor of {dataset.name}", name, names)
    kept = dataset.factor_names if factors is None else factors
    scored = [name for name in names if name in kept and name not in nuisances]
    if not scored:
        raise ValueError(f"no factor of {dataset.name} is left to be scored: keep one of {names}")
    found = copy.copy(dataset)
    for computed in ("scored", "_labelled"):  # of the factors that were scored before
        found.__dict__.pop(computed, None)
    found.nuisances = tuple(name for name in names if name not in scored)
    return found


def subset(dataset: ImageDataset, n: int, *, seed: int = 0) -> Selection:
    """``n`` images of a dataset drawn by a seed; a smaller subset is part of a larger one.

    Raises
    ------
    ValueError
        If there are fewer images.
    """
    check_positive("n_images", n)
    if n > len(dataset):
        raise ValueError(f"n_images={n:,} is more than {dataset.name} has, {len(dataset):,}")
    rows = generator(seed, Stream.SUBSET).permutation(len(dataset))[:n]
    kind = FactorSelection if isinstance(dataset, FactorDataset) else Selection
    return kind(dataset, rows)  # type: ignore[arg-type]


def rows_of(
    dataset: ImageDataset, seen: np.ndarray | None, part: Literal["all", "training", "unseen"]
) -> ImageDataset | None:
    """The images of which ``seen`` are rows, the others, or all; None if that leaves none."""
    if part == "all" or (part == "training" and seen is None):
        return dataset
    if seen is None or (part == "unseen" and len(seen) == len(dataset)):
        return None
    rows = seen
    if part == "unseen":
        is_unseen = np.ones(len(dataset), dtype=bool)
        is_unseen[seen] = False
        rows = np.flatnonzero(is_unseen)
    kind = FactorSelection if isinstance(dataset, FactorDataset) else Selection
    return kind(dataset, rows)  # type: ignore[arg-type]


def check_n_rows(dataset: ImageDataset, n: int) -> int:
    """``n`` itself if the dataset has so many rows.

    Raises
    ------
    ValueError
        If it has fewer.
    """
    if n > len(dataset):
        raise ValueError(
            f"{n:,} rows are too many, as {dataset.name} has {len(dataset):,} images: ask for "
            "at most so many"
        )
    return n


def scoring_rows(dataset: ImageDataset, n: int, *, seed: int) -> np.ndarray:
    """Rows (at most ``n``,) to score codes on, drawn by a seed without repeats.

    Images of which every scored factor is known are drawn, if the dataset has such images.
    Where there are fewer than ``n``, all of them are taken, each once: repeated rows would make
    scores too high.
    """
    n = check_positive("rows", n)
    if isinstance(dataset, FactorDataset):
        labelled = dataset.labelled_rows
        if labelled is not None and len(labelled):
            return dataset.sample_labelled(min(n, len(labelled)), seed=seed)
    return dataset.sample_indices(min(n, len(dataset)), seed=seed)
