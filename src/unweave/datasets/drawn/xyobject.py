"""A coloured square that moves, grows and changes colour: XYObject (Michlo et al. 2021)."""

from __future__ import annotations

import numpy as np

from unweave._check import check_choice, check_positive
from unweave.datasets.dataset import GridDataset
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.symmetries import CyclicShift, Translation

__all__ = ["XYObject", "XYObjectShaded"]

_COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "white": (255, 255, 255),
}
_PALETTES = {
    "greys": ("white",),
    "colors": ("red", "green", "blue", "yellow", "cyan", "magenta", "white"),
    "rgb": ("red", "green", "blue"),
    "rainbow": ("red", "yellow", "green", "cyan", "blue", "magenta"),
}
_IN_A_CIRCLE = ("rgb", "rainbow")
"""Palettes of hues at equal distances, in the order of the colour circle."""
_N_SHADES = (1, 2, 4)


class _Square(GridDataset):
    """A square at a place of a grid, of a size and a colour."""

    def __init__(
        self,
        image_size: int,
        grid_spacing: int,
        min_square_size: int,
        max_square_size: int,
        square_size_spacing: int,
        palette: str,
        colour_factors: list[Factor],
        colours: np.ndarray,
    ) -> None:
        self.image_size = check_positive("image_size", image_size)
        self.grid_spacing = check_positive("grid_spacing", grid_spacing)
        smallest = check_positive("min_square_size", min_square_size)
        largest = check_positive("max_square_size", max_square_size)
        step = check_positive("square_size_spacing", square_size_spacing)
        if not smallest <= largest <= self.image_size:
            raise ValueError(
                f"squares of {smallest} to {largest} pixels in an image of {image_size}: "
                "min_square_size must be at most max_square_size, and that at most image_size"
            )
        self.palette = palette
        self.image_shape = (self.image_size, self.image_size, 3)
        self.binary = bool(np.isin(colours, (0, 255)).all())
        self._colours = colours
        """Colours (colours, 3) uint8, in C order of the factors behind scale."""
        self._sizes = np.arange(smallest, largest + 1, step)
        self._margins = (largest - self._sizes) // 2
        n_places = (self.image_size - largest) // self.grid_spacing + 1
        places = tuple(range(n_places))
        self.space = FactorSpace(
            [
                Factor("x", places, "ordinal"),
                Factor("y", places, "ordinal"),
                Factor("scale", tuple(self._sizes), "ordinal"),
                *colour_factors,
            ]
        )
        self.symmetries = (
            Translation("x", n_places),
            Translation("y", n_places),
            *(CyclicShift(f.name, f.size) for f in colour_factors if f.kind == "circular"),
        )

    @property
    def identity(self) -> str:
        """The name, the measures and the palette."""
        sizes = "-".join(map(str, self._sizes))
        return f"{self.name}-1-{sizes}-of-{self.image_size}-at-{self.grid_spacing}-{self.palette}"

    def images(self, indices: object) -> np.ndarray:
        """Images (n, image_size, image_size, 3) uint8, the square on black."""
        levels = self.space.levels(indices)
        sizes = self._sizes[levels[:, 2], None]
        begin = self.grid_spacing * levels[:, :2] + self._margins[levels[:, 2], None]
        pixels = np.arange(self.image_size)
        covered = pixels >= begin[:, :, None]
        covered &= pixels < (begin + sizes)[:, :, None]
        inside = covered[:, 1, :, None] & covered[:, 0, None, :]
        colours = self._colours[np.ravel_multi_index(tuple(levels[:, 3:].T), self.space.sizes[3:])]
        drawn = np.zeros((len(levels), *self.image_shape), dtype=np.uint8)
        drawn[inside] = np.repeat(colours, inside.sum(axis=(1, 2)), axis=0)
        return drawn


class XYObject(_Square):
    """A square at 25 x 25 places, of 5 sizes and 24 colours: 75,000 images.

    The 24 colours are the six hues of the rainbow in four shades, dark ones first, as one
    categorical factor. Where a palette has one shade only and its hues stand at equal distances
    round the colour circle, the factor is circular. Images and factors are bit for bit those of
    disent's ``XYObjectData`` since its version 0.3.

    Parameters
    ----------
    image_size
        Pixels on a side of the image.
    grid_spacing
        Pixels between places.
    min_square_size, max_square_size, square_size_spacing
        Sizes of the square in pixels: the smallest, the largest, and the step between them.
    palette
        ``greys``, ``colors``, ``rgb`` or ``rainbow``, an underscore and the number of shades: 1, 2
        or 4.

    Raises
    ------
    ValueError
        If a measure is below 1, the square does not fit into the image, or the palette is unknown.

    References
    ----------
    Michlo, Klein, James 2021, https://github.com/nmichlo/disent.

    >>> XYObject().space
    FactorSpace(x: 25 ordinal, y: 25 ordinal, scale: 5 ordinal, color: 24 categorical)
    """

    name = "xyobject"

    def __init__(
        self,
        image_size: int = 64,
        grid_spacing: int = 2,
        min_square_size: int = 7,
        max_square_size: int = 15,
        square_size_spacing: int = 2,
        palette: str = "rainbow_4",
    ) -> None:
        hues, n_shades = _palette(palette)
        super().__init__(
            image_size,
            grid_spacing,
            min_square_size,
            max_square_size,
            square_size_spacing,
            palette,
            [_colour_factor(hues, n_shades)],
            _shades(hues, n_shades).reshape(-1, 3),
        )


class XYObjectShaded(_Square):
    """:class:`XYObject` with hue and shade as two factors: 25 x 25 x 5 x 4 x 6, 75,000 images.

    The factors are x, y, scale, intensity, color. The hues of the rainbow are a circle. Images and
    factors are bit for bit those of disent's ``XYObjectShadedData``.

    Parameters
    ----------
    image_size, grid_spacing, min_square_size, max_square_size, square_size_spacing, palette
        As of :class:`XYObject`.

    Raises
    ------
    ValueError
        As :class:`XYObject`.
    """

    name = "xyobject_shaded"

    def __init__(
        self,
        image_size: int = 64,
        grid_spacing: int = 2,
        min_square_size: int = 7,
        max_square_size: int = 15,
        square_size_spacing: int = 2,
        palette: str = "rainbow_4",
    ) -> None:
        hues, n_shades = _palette(palette)
        intensity = Factor("intensity", tuple(np.arange(1, n_shades + 1) / n_shades), "ordinal")
        super().__init__(
            image_size,
            grid_spacing,
            min_square_size,
            max_square_size,
            square_size_spacing,
            palette,
            [intensity, _colour_factor(hues, 1)],
            _shades(hues, n_shades).reshape(-1, 3),
        )


def _palette(palette: str) -> tuple[str, int]:
    """Name and number of shades of a palette."""
    known = [f"{hues}_{n}" for hues in _PALETTES for n in _N_SHADES]
    hues, n_shades = check_choice("palette", palette, known).split("_")
    return hues, int(n_shades)


def _shades(hues: str, n_shades: int) -> np.ndarray:
    """Colours (shades, hues, 3) uint8, the darkest shade first, rounded down."""
    full = np.array([_COLOURS[name] for name in _PALETTES[hues]])
    return (full * np.arange(1, n_shades + 1)[:, None, None] // n_shades).astype(np.uint8)


def _colour_factor(hues: str, n_shades: int) -> Factor:
    names = _PALETTES[hues]
    if n_shades == 1:
        if hues in _IN_A_CIRCLE:
            angles = tuple(2 * np.pi * np.arange(len(names)) / len(names))
            return Factor("color", angles, "circular", names)
        return Factor("color", tuple(range(len(names))), "categorical", names)
    labels = [f"{name} {i}/{n_shades}" for i in range(1, n_shades + 1) for name in names]
    return Factor("color", tuple(range(len(labels))), "categorical", tuple(labels))
