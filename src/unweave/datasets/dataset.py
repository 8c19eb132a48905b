"""What datasets promise: images; images with factors; images of a full grid of factors."""

from __future__ import annotations

import functools
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.pixels import PixelScale, as_array, check_shape
from unweave.datasets.symmetries import Symmetry

if TYPE_CHECKING:
    from unweave.datasets.pairs import Pairs

__all__ = [
    "FactorDataset",
    "GridDataset",
    "ImageDataset",
    "check_dataset",
    "known_rows",
    "need_factors",
    "need_grid",
    "spread_rows",
]

_N_PROBED = 64
_N_IDENTIFYING = 4096


class ImageDataset(ABC):
    """Images, whatever is known of them.

    A subclass needs ``image_shape``, ``images`` and ``__len__``. Storage is up to it.
    Training calls ``stored``, which checks what ``images`` returns and converts it by the rule of
    :class:`~unweave.datasets.pixels.PixelScale`. A subclass whose images are stored as bits
    overrides it, so that they are unpacked where they are used.
    """

    name: str = "images"
    """Names the dataset in messages and in descriptions of runs."""
    source: str = ""
    """The canonical name with which :func:`~unweave.datasets.load` loads it again; "" if none."""
    image_shape: tuple[int, int, int]
    """Height, width, channels."""
    without_factors: str = "has no factors: give them, as in a factors.csv (docs/data.md)"
    """Why nothing can be scored by factor, where that is so; follows the name in a message."""
    binary: bool = False
    """Whether every pixel is 0 or 255, so that ``stored`` packs eight pixels in a byte."""
    notes: tuple[str, ...] = ()
    """Sentences about how the images and factors were read."""

    @abstractmethod
    def images(self, indices: object) -> np.ndarray:
        """Images (n, height, width, channels) uint8 in [0, 255] of the rows ``indices``."""

    @abstractmethod
    def __len__(self) -> int: ...

    @functools.cached_property
    def identity(self) -> str:
        """Names the content, for caches and for runs that resume: equal only for equal images.

        By default made of the name, the shape and at most 4,096 images from all over the dataset:
        a larger dataset whose other images change keeps its identity. A subclass that knows its
        content better overrides it.
        """
        digest = hashlib.sha256(f"{self.name} {len(self)} {self.image_shape}".encode())
        rows = spread_rows(len(self), _N_IDENTIFYING)
        for start in range(0, len(rows), _N_PROBED):
            images = self.images(rows[start : start + _N_PROBED])
            digest.update(np.ascontiguousarray(images).data)
        return f"{self.name}-{digest.hexdigest()[:16]}"

    def sample_indices(self, n_samples: int, *, seed: int) -> np.ndarray:
        """Rows (n_samples,) drawn uniformly, without repeats while there are enough rows."""
        return _drawn(len(self), n_samples, seed)

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> ImageDataset:
        """Draw all images into the cache, once, if this data is kept there."""
        return self

    def stored(self, indices: object) -> np.ndarray:
        """The images flattened: bits packed as by ``numpy.packbits`` if ``binary``, else uint8.

        Raises
        ------
        ValueError
            If ``images`` returns another shape, or pixels that cannot be converted to uint8.
        """
        levels = self.uint8_images(indices)
        flat = levels.reshape(len(levels), -1)
        if not self.binary:
            return flat
        white = flat == 255
        if not (white | (flat == 0)).all():
            raise ValueError(
                f"{self._what} hold grey pixels, and the dataset is declared binary: set binary "
                "to False"
            )
        return np.packbits(white, axis=1)

    def uint8_images(self, indices: object) -> np.ndarray:
        """What ``images`` returns, checked and as uint8 (n, height, width, channels).

        Raises
        ------
        ValueError
            As :meth:`stored`.
        """
        found = self._scale.convert(self._checked_images(indices))
        self._scale.refuse_dark()
        return found

    @functools.cached_property
    def _scale(self) -> PixelScale:
        """What stands for white, as images from all over the dataset show it."""
        scale = PixelScale(self._what)
        scale.convert(self._checked_images(spread_rows(len(self))))
        scale.refuse_dark()
        return scale

    def _checked_images(self, indices: object) -> np.ndarray:
        """What ``images`` returns for the rows, if it is of the right shape."""
        found = as_array(self.images(indices), self._what)
        check_shape(found.shape, self.image_shape, self._what, np.size(indices))  # type: ignore[arg-type]
        return found

    @property
    def _what(self) -> str:
        return f"the images of {self.name}"

    @property
    def _chosen(self) -> dict[str, Any]:
        """What was set after the dataset was opened: the state of a copy in another process."""
        keys = ("nuisances", "source", "notes")
        return {key: self.__dict__[key] for key in keys if key in self.__dict__}


class FactorDataset(ImageDataset):
    """Images with the factors that made them: any images, and any factors.

    This is what training, encoders, metrics, pictures and studies ask for. A subclass needs
    ``factor_columns`` and ``all_factors`` besides what an :class:`ImageDataset` needs.
    """

    factor_columns: tuple[Factor, ...]
    """Every factor, nuisances too, in the order of the columns of :meth:`all_factors`."""
    nuisances: tuple[str, ...] = ()
    """Names of factors that vary in the images and are not scored."""
    symmetries: tuple[Symmetry, ...] = ()
    """Groups that are known to act on the images, each on one factor."""

    @abstractmethod
    def all_factors(self, indices: object) -> np.ndarray:
        """Every factor (n, columns) of the rows ``indices``.

        A level, from 0 on, of a factor that has levels; otherwise a value, an angle in radians if
        the factor is circular. int64 if all of them are levels, else float64, nan where a
        factor of a row is unknown.
        """

    @functools.cached_property
    def scored(self) -> tuple[Factor, ...]:
        """The factors that are scored: all but nuisances."""
        unknown = set(self.nuisances) - {factor.name for factor in self.factor_columns}
        if unknown:
            raise ValueError(f"{self.name} has no factor {min(unknown)!r} to be a nuisance")
        return tuple(f for f in self.factor_columns if f.name not in self.nuisances)

    @property
    def factor_names(self) -> tuple[str, ...]:
        """Names of the scored factors."""
        return tuple(factor.name for factor in self.scored)

    @property
    def factor_kinds(self) -> tuple[str, ...]:
        """Kinds of the scored factors."""
        return tuple(factor.kind for factor in self.scored)

    def factors(self, indices: object) -> np.ndarray:
        """The scored factors (n, factors) of the rows, as of :meth:`all_factors`."""
        found = self.all_factors(indices)
        if not self.nuisances:
            return found
        return found[:, [f.name not in self.nuisances for f in self.factor_columns]]

    @property
    def labelled_rows(self) -> np.ndarray | None:
        """Rows of which every scored factor is known; None if that is so of all rows."""
        return None

    def sample_labelled(self, n_samples: int, *, seed: int) -> np.ndarray:
        """Rows (n_samples,) as of :meth:`sample_indices`, of which every scored factor is known.

        Raises
        ------
        ValueError
            If there are none.
        """
        rows = self.labelled_rows
        if rows is None:
            return self.sample_indices(n_samples, seed=seed)
        if not len(rows):
            raise ValueError(
                f"no image of {self.name} has a value of every factor: score fewer factors, as "
                "with ?factors=NAME,NAME after the dataset's name"
            )
        return rows[_drawn(len(rows), n_samples, seed)]

    def where(self, mask: object) -> FactorDataset:
        """The rows for which ``mask`` is true, as a dataset.

        Parameters
        ----------
        mask
            Booleans (rows,), or a function that gets a mapping with the values (rows,) of each
            factor by name, as of :meth:`all_factors`, and returns them.

        Raises
        ------
        ValueError
            If the mask is not one boolean for each row, or leaves no rows.

        >>> from unweave.datasets import DSprites
        >>> dataset = DSprites().where(lambda factors: factors["shape"] < 2)
        >>> len(dataset)
        491520
        """
        from unweave.datasets.selection import selected

        return selected(self, mask)

    def pairs(
        self,
        n_pairs: int,
        *,
        n_changed: int | str | Sequence[int] | None = None,
        steps: str = "uniform",
        rate: float = 1.0,
        nuisances: str = "redrawn",
        random_state: int | np.random.Generator,
    ) -> Pairs:
        r"""Pairs of rows that share factors, as methods with weak supervision train on.

        The first image is any row, with the same probability for each. The second one has the same
        factors but for those that ``steps`` changes. Factors that have one value only never count.

        Parameters
        ----------
        n_pairs
            How many pairs to draw, independently.
        n_changed
            How many factors are redrawn in a pair, for ``uniform`` and ``other``: a number; a list
            of numbers, one of which is drawn for each pair; ``random``, which is the default and
            stands for 1 to all but one; or ``one_or_random``, see the notes. Which factors they
            are is drawn for each pair.
        steps
            ``uniform``: a factor that is redrawn takes any of its levels with the same
            probability, so that it may keep its own. ``other``: any level of another value.
            ``laplace``: every factor that is not categorical moves by a Laplace step round its
            level, the shorter way round if it is circular. ``laplace_line``: the same, with
            circular factors taken for lines.
        rate
            Inverse scale of Laplace steps: level :math:`j` follows level :math:`i` of a factor of
            :math:`n` levels with a probability proportional to :math:`e^{-|j - i| \,rate / \ln n}`.
            Where no factor moved, one is drawn that moves, with the same weights for all levels
            but its own.
        nuisances
            ``redrawn``: nuisance factors of the second image are uniform, as they are wherever
            images are drawn by their factors (disentanglement_lib's SmallNORB shows another
            instance). ``shared``: they are those of the first image (Slow-VAE's SmallNORB).
        random_state
            A seed, or the generator to draw from.

        Returns
        -------
        Pairs
            Rows of both images (n,), and which scored factors differ (n, factors).

        Raises
        ------
        ValueError
            If this is neither a full grid nor a part of one, a choice is unknown, ``n_changed``
            is not between 1 and the number of factors, ``rate`` is not positive, no factor can
            change, or no pair can be found in a part of a grid.

        Notes
        -----
        For a part of a grid (:meth:`where`) these are the pairs of the full grid both of whose
        images are in the part: all laws above hold under this condition.

        Published settings:

        - Ada-GVAE (Locatello et al. 2020, https://arxiv.org/abs/2002.02886), as its paper has it:
          ``uniform``, with ``n_changed`` a number k or ``random``. The code in disentanglement_lib
          draws, for each pair, whether 1 or k factors are redrawn: ``n_changed=(1, k)``, and
          ``one_or_random`` for its random k.
        - Slow-VAE (Klindt et al. 2021, https://arxiv.org/abs/2007.10930): LAP is
          ``laplace_line``, since its code measures the distance of angles and hues along a line.
          UNI is ``other`` with ``random``.

        >>> from unweave.datasets import DSprites
        >>> pairs = DSprites().pairs(5, n_changed=1, steps="other", random_state=0)
        >>> pairs.changed.sum(axis=1).tolist()
        [1, 1, 1, 1, 1]
        """
        from unweave.datasets.pairs import draw_pairs

        return draw_pairs(
            self,
            n_pairs,
            n_changed=n_changed,
            steps=steps,
            rate=rate,
            nuisances=nuisances,
            random_state=random_state,
        )


class GridDataset(FactorDataset):
    """Images of every combination of the levels of a :class:`FactorSpace`: a full grid.

    The row of any combination is known, so that factors can be set one by one: this is what
    interventions, groups and pairs need. A dataset says what it is (``name``, ``space``,
    ``image_shape``) and draws or reads the images asked for.
    """

    space: FactorSpace

    @property
    def factor_columns(self) -> tuple[Factor, ...]:  # type: ignore[override]
        """Every factor of the space."""
        return self.space.factors

    def all_factors(self, indices: object) -> np.ndarray:
        """Levels (n, factors) int64 of the rows ``indices``."""
        return self.space.levels(indices)

    def __len__(self) -> int:
        return len(self.space)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} images of {self.image_shape}, {self.space})"


def need_grid(dataset: ImageDataset, what: str) -> GridDataset:
    """The dataset, if it is a full grid.

    Raises
    ------
    ValueError
        If it is not. ``what`` begins the sentence, as "analogies set one factor at a time".
    """
    if isinstance(dataset, GridDataset):
        return dataset
    raise ValueError(
        f"{what}, which needs images of every combination of factors, and {dataset.name} is not "
        "a full grid: use a GridDataset, as dsprites or rooms"
    )


def need_factors(dataset: ImageDataset, what: str) -> FactorDataset:
    """The dataset, if its factors are known.

    Raises
    ------
    ValueError
        If they are not. ``what`` begins the sentence, as "dc_ign is supervised".
    """
    if isinstance(dataset, FactorDataset):
        return dataset
    raise ValueError(
        f"{what} and needs the factors of the images, and {dataset.name} {dataset.without_factors}"
    )


def known_rows(dataset: FactorDataset) -> np.ndarray | None:
    """Rows of which every scored factor is a number; None if that is so of all rows."""
    known = np.isfinite(dataset.factors(np.arange(len(dataset)))).all(axis=1)
    return None if known.all() else np.flatnonzero(known)


def check_dataset(dataset: ImageDataset) -> None:
    """Refuse a dataset that has no images, or no valid ``image_shape``.

    Raises
    ------
    ValueError
        If that is so.
    """
    shape = getattr(dataset, "image_shape", None)
    try:
        valid = len(shape) == 3 and all(int(side) == side and side > 0 for side in shape)  # type: ignore[arg-type, union-attr]
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            f"image_shape of {type(dataset).__name__} must be (height, width, channels), as (64, "
            f"64, 1) for grayscale images, not {shape}"
        )
    if len(dataset) == 0:
        raise ValueError(f"{type(dataset).__name__} is empty: training needs at least one image")


def _drawn(n: int, n_samples: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.choice(n, n_samples, replace=n_samples > n, shuffle=True)


def spread_rows(n: int, most: int = _N_PROBED) -> np.ndarray:
    """Rows (at most ``most``,) of ``n``, evenly spaced, to learn from what images look like."""
    return np.linspace(0, n - 1, min(n, most)).astype(np.int64)
