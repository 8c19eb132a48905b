"""Squares and columns on a grid of places (Michlo et al. 2021): XYSquares and its relatives."""

from __future__ import annotations

import numpy as np

from unweave._check import check_positive
from unweave.datasets.dataset import GridDataset
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.symmetries import Translation

__all__ = ["XColumns", "XYSingleSquare", "XYSquares", "XYSquaresMinimal"]


class _Placed(GridDataset):
    """Shapes that stand at places of a grid, centred in the image.

    ``axes`` names the factors of each shape: x and y of a square, x of a column.
    """

    binary = True
    axes: tuple[str, ...] = ("x", "y")

    def __init__(
        self,
        square_size: int,
        image_size: int,
        grid_size: int | None,
        grid_spacing: int | None,
        names: tuple[str, ...],
        n_channels: int,
    ) -> None:
        self.square_size = check_positive("square_size", square_size)
        self.image_size = check_positive("image_size", image_size)
        spacing = self.square_size if grid_spacing is None else grid_spacing
        self.grid_spacing = check_positive("grid_spacing", spacing)
        if self.square_size > self.image_size:
            raise ValueError(
                f"square_size={square_size} is larger than the image: choose at most "
                f"image_size={image_size}"
            )
        n_places = (self.image_size - self.square_size) // self.grid_spacing + 1
        if grid_size is not None:
            if check_positive("grid_size", grid_size) > n_places:
                raise ValueError(
                    f"grid_size={grid_size} is more than the {n_places} places that fit into "
                    f"{image_size} pixels: lower it, or lower square_size or grid_spacing"
                )
            n_places = grid_size
        self.image_shape = (self.image_size, self.image_size, n_channels)
        factors = [
            Factor(f"{axis}{name}", tuple(range(n_places)), "ordinal")
            for name in names
            for axis in self.axes
        ]
        self.space = FactorSpace(factors)
        self.symmetries = tuple(Translation(factor.name, n_places) for factor in factors)
        occupied = self.square_size + (n_places - 1) * self.grid_spacing
        begin = (self.image_size - occupied) // 2 + self.grid_spacing * np.arange(n_places)[:, None]
        pixels = np.arange(self.image_size)
        self._covered = (pixels >= begin) & (pixels < begin + self.square_size)
        """Pixels (places, image_size) of a side that a shape at each place covers."""

    @property
    def identity(self) -> str:
        """The name and the measures."""
        measures = (
            f"{self.square_size}-of-{self.image_size}-at-{self.grid_spacing}-"
            f"{'x'.join(map(str, self.space.sizes))}-{self.image_shape[2]}"
        )
        return f"{self.name}-1-{measures}"

    def images(self, indices: object) -> np.ndarray:
        """Images (n, image_size, image_size, channels) uint8, 0 or 255."""
        levels = self.space.levels(indices)
        drawn = np.zeros((len(levels), *self.image_shape), dtype=np.uint8)
        n_axes = len(self.axes)
        for shape in range(levels.shape[1] // n_axes):
            covered = self._covered[levels[:, n_axes * shape : n_axes * (shape + 1)]]
            inside = covered[:, 0, None, :]
            if n_axes == 2:
                inside = inside & covered[:, 1, :, None]
            drawn[..., shape % self.image_shape[2]] |= np.multiply(inside, 255, dtype=np.uint8)
        return drawn


class XYSquares(_Placed):
    """A red, a green and a blue square, each at any of 8 x 8 places: 262,144 images.

    Where squares overlap their colours add up. While ``grid_spacing`` is at least ``square_size``,
    two images differ in as many pixels however far a square has moved: a loss between pixels then
    knows no neighbours, which is what the dataset is made for. Images and factors are bit for bit
    those of disent's ``XYSquaresData``.

    Parameters
    ----------
    square_size
        Pixels on a side of a square.
    image_size
        Pixels on a side of the image.
    grid_size
        Places on a side, in the middle of the image; as many as fit by default.
    grid_spacing
        Pixels between places; ``square_size`` by default. Squares at neighbouring places overlap
        if it is less.
    n_squares
        1 to 3 squares: red, green, blue.
    rgb
        Whether each square has a channel of its own. If not, the image has one channel, white
        where any square is.

    Raises
    ------
    ValueError
        If a measure is below 1, a square does not fit into the image, or more places are asked for
        than fit.

    References
    ----------
    Michlo, Klein, James 2021, https://github.com/nmichlo/disent.

    >>> XYSquares().factor_names
    ('x_R', 'y_R', 'x_G', 'y_G', 'x_B', 'y_B')
    """

    name = "xysquares"

    def __init__(
        self,
        square_size: int = 8,
        image_size: int = 64,
        grid_size: int | None = None,
        grid_spacing: int | None = None,
        n_squares: int = 3,
        rgb: bool = True,
    ) -> None:
        names = _colours(n_squares)
        super().__init__(square_size, image_size, grid_size, grid_spacing, names, 3 if rgb else 1)


class XYSquaresMinimal(XYSquares):
    """:class:`XYSquares` with its default settings, as disent's ``XYSquaresMinimalData``."""

    name = "xysquares_minimal"

    def __init__(self) -> None:
        super().__init__()


class XColumns(_Placed):
    """A red, a green and a blue column as high as the image, each at 8 places: 512 images.

    Bit for bit those of disent's ``XColumnsData``.

    Parameters
    ----------
    square_size
        Width of a column in pixels.
    image_size, grid_size, grid_spacing, rgb
        As of :class:`XYSquares`.
    n_squares
        1 to 3 columns: red, green, blue.

    Raises
    ------
    ValueError
        As :class:`XYSquares`.
    """

    name = "xcolumns"
    axes = ("x",)

    def __init__(
        self,
        square_size: int = 8,
        image_size: int = 64,
        grid_size: int | None = None,
        grid_spacing: int | None = None,
        n_squares: int = 3,
        rgb: bool = True,
    ) -> None:
        names = _colours(n_squares)
        super().__init__(square_size, image_size, grid_size, grid_spacing, names, 3 if rgb else 1)


class XYSingleSquare(_Placed):
    """A white square at any of 8 x 8 places: 64 images.

    Bit for bit those of disent's ``XYSingleSquareData``.

    Parameters
    ----------
    square_size, image_size, grid_size, grid_spacing
        As of :class:`XYSquares`.

    Raises
    ------
    ValueError
        As :class:`XYSquares`.
    """

    name = "xysinglesquare"

    def __init__(
        self,
        square_size: int = 8,
        image_size: int = 64,
        grid_size: int | None = None,
        grid_spacing: int | None = None,
    ) -> None:
        super().__init__(square_size, image_size, grid_size, grid_spacing, ("",), 1)


def _colours(n_squares: int) -> tuple[str, ...]:
    if check_positive("n_squares", n_squares) > 3:
        raise ValueError(f"n_squares={n_squares}, and there are three colours: choose 1, 2 or 3")
    return ("_R", "_G", "_B")[:n_squares]
