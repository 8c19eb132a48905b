"""dSprites in colour, on noise, on a picture, and with the colours of abstract reasoning."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path

import numpy as np

from unweave._check import check_indices, check_positive
from unweave.datasets.dataset import GridDataset
from unweave.datasets.drawn._painting import (
    invert_on_picture,
    levels_of,
    paint,
    put_on_noise,
    row_uniforms,
)
from unweave.datasets.drawn.dsprites import DSprites
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.symmetries import CyclicShift, Translation

__all__ = ["AbstractDSprites", "BackgroundDSprites", "ColorDSprites", "NoisyDSprites"]

_PATCH = 64
_BOX = (350, 274)  # width, height of the picture that disentanglement_lib cuts its patches from
_PLAIN_MODES = ("RGB", "L", "P", "1", "CMYK")

_OBJECT_COLOURS = (
    (0.9096231780824386, 0.5883403686424795, 0.3657680693481871),
    (0.6350181801577739, 0.6927729880940552, 0.3626904230371999),
    (0.3764832455369271, 0.7283900430001952, 0.5963114605342514),
    (0.39548987063404156, 0.7073922557810771, 0.7874577552076919),
    (0.6963644829189117, 0.6220697032672371, 0.899716387820763),
    (0.90815966835861, 0.5511103319168646, 0.7494337214212151),
)
_OBJECT_LEVELS = levels_of(np.array(_OBJECT_COLOURS))
_GREYS = (0.0, 0.25, 0.5, 0.75, 1.0)
_GREY_LEVELS = levels_of(np.repeat(np.array(_GREYS)[:, None], 3, axis=1))


class _Variant(GridDataset):
    """dSprites with other pixels: its grid, and bits of its sprites."""

    space: FactorSpace = DSprites.space
    image_shape = (64, 64, 3)
    symmetries = DSprites.symmetries

    def __init__(self) -> None:
        self._sprites = DSprites()

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> _Variant:
        """Draw the sprites into the cache, once, from where they are painted."""
        self._sprites.prepare(progress)
        return self


class _RandomVariant(_Variant):
    """One whose images hold something random that is not a factor."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = check_positive("seed", seed, minimum=0)

    @property
    def identity(self) -> str:
        """The name and the seed."""
        return f"{self.name}-1-seed{self.seed}"

    def images(self, indices: object) -> np.ndarray:
        """Images (n, 64, 64, 3) uint8."""
        rows = check_indices(indices, len(self))
        return self._drawn(rows, self._sprites.stored(rows))

    @abstractmethod
    def _drawn(self, rows: np.ndarray, packed: np.ndarray) -> np.ndarray: ...


class ColorDSprites(_RandomVariant):
    """dSprites whose sprites have random colours: Color-dSprites of disentanglement_lib.

    Each of red, green and blue is uniform in [0.5, 1] and belongs to the image, not to a factor.
    Two things differ from disentanglement_lib. There, each look at an image draws another colour.
    Here the colour follows from ``seed`` and the row, so that images can be cached and runs can be
    repeated. Its pixels are floats; here they are rounded to levels of 1/255. The law of one image
    of each row is the same but for this rounding.

    The symmetries are those of the sprite: a group element changes the colour too, at random.

    Parameters
    ----------
    seed
        Seed of the colours.

    Raises
    ------
    ValueError
        If the seed is negative or not a whole number.

    References
    ----------
    Locatello et al. 2019, https://arxiv.org/abs/1811.12359.

    >>> dataset = ColorDSprites()
    >>> dataset.images([0, 1]).shape
    (2, 64, 64, 3)
    """

    name = "color_dsprites"

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)

    def _drawn(self, rows: np.ndarray, packed: np.ndarray) -> np.ndarray:
        colours = levels_of(0.5 + 0.5 * row_uniforms(self.seed, rows, 3))
        return paint(packed, colours, np.zeros_like(colours))


class NoisyDSprites(_RandomVariant):
    """White dSprites on noise: Noisy-dSprites of disentanglement_lib.

    Each channel of each background pixel is uniform in [0, 1], rounded to levels of 1/255. The
    noise of an image follows from ``seed`` and the row, as the colours of :class:`ColorDSprites`
    do, and is not a factor.

    Parameters
    ----------
    seed
        Seed of the noise.

    Raises
    ------
    ValueError
        If the seed is negative or not a whole number.

    References
    ----------
    Locatello et al. 2019, https://arxiv.org/abs/1811.12359.
    """

    name = "noisy_dsprites"

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)

    def _drawn(self, rows: np.ndarray, packed: np.ndarray) -> np.ndarray:
        n_numbers = int(np.prod(self.image_shape))
        return put_on_noise(packed, row_uniforms(self.seed, rows, n_numbers, np.float32))


class BackgroundDSprites(_RandomVariant):
    """dSprites that invert the colours of a picture behind them, as Scream-dSprites does.

    The rule is that of disentanglement_lib. The picture is made to fit into 350 x 274 pixels by
    Pillow's ``thumbnail``. The background of an image is (patch + tint) / 2, with a patch of 64 x
    64 pixels and a tint of three numbers uniform in [0, 1]. The sprite is where the colours are
    inverted, 1 - colour. Patches begin anywhere but at the last possible row and column, as
    there. Patch and tint follow from ``seed`` and the row, as the colours of
    :class:`ColorDSprites` do, and are not factors. Pixels are rounded to levels of 1/255.

    With Munch's Scream as the picture, this is Scream-dSprites. Without one, the picture is
    ``china.jpg``, which scikit-learn brings along (CC BY): images are then of the same kind, and
    scores must not be compared with published ones.

    Parameters
    ----------
    picture
        Picture file, of any size that leaves more than 64 pixels on each side once it fits.
    seed
        Seed of patches and tints.

    Raises
    ------
    FileNotFoundError
        If ``picture`` does not exist.
    ValueError
        If it cannot be read as a picture of 8 bits without transparency, is too small or too
        narrow, or the seed is negative.

    References
    ----------
    Locatello et al. 2019, https://arxiv.org/abs/1811.12359.
    """

    name = "background_dsprites"

    def __init__(self, picture: str | Path | None = None, seed: int = 0) -> None:
        super().__init__(seed)
        self.picture = Path(picture) if picture is not None else None
        self._levels = _china() if self.picture is None else _read_picture(self.picture)
        """The fitted picture (height, width, 3) uint8."""
        self._values = self._levels / 255.0

    @property
    def identity(self) -> str:
        """The name, the seed and the content of the fitted picture."""
        content = hashlib.sha256(repr(self._levels.shape).encode() + self._levels.tobytes())
        return f"{self.name}-1-seed{self.seed}-{content.hexdigest()[:16]}"

    def _drawn(self, rows: np.ndarray, packed: np.ndarray) -> np.ndarray:
        uniforms = row_uniforms(self.seed, rows, 5)
        places = np.array(self._levels.shape[:2]) - _PATCH
        corners = (uniforms[:, :2] * places).astype(np.int64)
        return invert_on_picture(packed, self._values, corners, uniforms[:, 2:])


class AbstractDSprites(_Variant):
    """dSprites in six colours on five greys, for abstract reasoning: Abstract-dSprites.

    The factors are those of disentanglement_lib, in its order: colours of background (5 greys)
    and object (6 hues), shape, scale, posX, posY. Orientation is not scored there but random in
    each image. Here it is a nuisance between scale and posX, so that the grid holds all 22,118,400
    images. Colours are rounded to levels of 1/255.

    References
    ----------
    van Steenkiste et al. 2019, https://arxiv.org/abs/1905.12506.

    >>> dataset = AbstractDSprites()
    >>> dataset.factor_names
    ('background_color', 'object_color', 'shape', 'scale', 'posX', 'posY')
    """

    name = "abstract_dsprites"
    identity = "abstract_dsprites-1"
    nuisances = ("orientation",)
    space = FactorSpace(
        [
            Factor("background_color", _GREYS, "ordinal"),
            # Six hues of equal distance, from a tenth of a turn on, of one lightness.
            Factor("object_color", tuple(2 * np.pi * (0.1 + np.arange(6) / 6)), "circular"),
            *DSprites.space.factors,
        ]
    )
    symmetries = (
        CyclicShift("object_color", 6),
        Translation("posX", 32),
        Translation("posY", 32),
    )

    def images(self, indices: object) -> np.ndarray:
        """Images (n, 64, 64, 3) uint8."""
        levels = self.space.levels(indices)
        packed = self._sprites.stored(DSprites.space.indices(levels[:, 2:]))
        return paint(packed, _OBJECT_LEVELS[levels[:, 1]], _GREY_LEVELS[levels[:, 0]])


def _china() -> np.ndarray:
    from PIL import Image
    from sklearn.datasets import load_sample_image

    picture = Image.fromarray(load_sample_image("china.jpg"))
    picture.thumbnail(_BOX)
    return np.array(picture)


def _read_picture(path: Path) -> np.ndarray:
    """The picture (height, width, 3) uint8, made to fit."""
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise FileNotFoundError(f"no picture at {path}: give the path of a picture file")
    try:
        with Image.open(path) as picture:
            if picture.mode not in _PLAIN_MODES or "transparency" in picture.info:
                raise ValueError(
                    f"the picture {path} is transparent or not of 8 bits (mode {picture.mode}): "
                    "save it as an opaque picture of 8 bits, as a JPEG is"
                )
            fitted = picture if picture.mode == "RGB" else picture.convert("RGB")
            fitted.thumbnail(_BOX)
            levels = np.array(fitted)
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{path} cannot be read as a picture ({error})") from error
    height, width = levels.shape[:2]
    if min(height, width) <= _PATCH:
        raise ValueError(
            f"the picture {path} has {width} x {height} pixels once it fits into {_BOX[0]} x "
            f"{_BOX[1]}, and patches of {_PATCH} x {_PATCH} are cut from it at random: give a "
            "larger or less narrow picture"
        )
    return levels
