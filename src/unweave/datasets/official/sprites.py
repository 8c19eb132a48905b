"""Sprites (Reed et al. 2015, Li and Mandt 2018), composed of their published sheets."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import numpy as np

from unweave._check import check_indices
from unweave.datasets.dataset import GridDataset
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.official.location import official_file
from unweave.datasets.symmetries import CyclicShift, Symmetry

__all__ = ["Sprites"]

_SIDE = 64  # pixels of a sprite
_SHEET = (1344, 832)  # height and width of a sheet: 21 x 13 sprites
_PARTS = {"bottomwear": 7, "topwear": 7, "hair": 10, "eyes": 5, "shoes": 3, "body": 7}
_ORDER = ("body", "shoes", "bottomwear", "topwear", "eyes", "hair")  # from the back to the front
_ACTIONS = ("spellcard", "thrust", "walk", "slash", "shoot")  # four rows of a sheet each
_ROTATIONS = ("back", "left", "front", "right")  # a row each
_N_FRAMES = 6  # that every action has
_OPAQUE = 128  # of 255: what covers more hides what is behind it


class Sprites(GridDataset):
    """Characters of a game: 6,174,000 images of 64 pixels, composed here of 39 published sheets.

    Nine factors: six parts, chosen each for itself (bottomwear 7, topwear 7, hair 10, eyes 5,
    shoes 3, body 7), the action (5), the side that the character shows (4, a circle) and the frame
    of the action (6, of which longer actions have more). This is the grid that disent takes from
    the sheets, and its rule: a pixel of a part covers those behind it if its opacity is above 128
    of 255. The published data of Li and Mandt is a part of it with other frames: four parts of six
    sheets each, three sides and three actions.

    Some levels look alike. The sixth sheets of bottomwear and topwear are empty in two actions,
    thrust and shoot. The seventh sheet of topwear hides about four fifths of bottomwear. Seen from
    the back, characters have no eyes; ``back=False`` leaves this side out.

    Reed et al. (2015), Deep visual analogy-making; Li and Mandt (2018),
    https://arxiv.org/abs/1803.02991; sheets of the Liberated Pixel Cup.

    Parameters
    ----------
    path
        A clone of https://github.com/YingzhenLi/Sprites: the folder that holds ``body/0.png``. By
        default the folder ``sprites`` of the cache.
    back
        Whether characters are also seen from the back.

    Raises
    ------
    FileNotFoundError
        If a sheet is missing.
    ValueError
        If a sheet is damaged or of another size; or if ``path`` is the ``sprites.npz`` that disent
        makes, which holds pickled objects.
    """

    name = "sprites"
    image_shape = (_SIDE, _SIDE, 3)

    def __init__(self, path: str | Path | None = None, *, back: bool = True) -> None:
        if path is not None and Path(path).suffix == ".npz":
            raise ValueError(
                f"{path} holds its sheets as pickled objects, which can run any code when they are "
                "read: give the folder of sheets that it was made of, a clone of "
                "https://github.com/YingzhenLi/Sprites"
            )
        first = official_file("sprites", path, "body/0.png", "Sprites/body/0.png")
        self._first_rotation = 0 if back else 1
        self._tiles = {part: _tiles(first.parents[1] / part, n) for part, n in _PARTS.items()}
        self.space = _space(back)
        self.symmetries: tuple[Symmetry, ...] = (
            (CyclicShift("rotation", len(_ROTATIONS)),) if back else ()
        )

    @functools.cached_property
    def identity(self) -> str:
        """Hash of the sheets, and of whether characters are seen from the back."""
        digest = hashlib.sha256()
        for part in _PARTS:
            digest.update(self._tiles[part].data)
        return f"{self.name}-{digest.hexdigest()[:16]}-{self._first_rotation}"

    def images(self, indices: object) -> np.ndarray:
        """Images (n, 64, 64, 3) uint8, on black."""
        levels = self.space.levels(check_indices(indices, len(self)))
        action, rotation, frame = levels[:, -3:].T
        row = action * len(_ROTATIONS) + rotation + self._first_rotation
        pixels = np.zeros((len(levels), _SIDE, _SIDE), dtype=np.uint32)
        for part in _ORDER:
            layer = self._tiles[part][levels[:, self.space.position(part)], row, frame]
            np.copyto(pixels, layer, where=layer != 0)
        channels = pixels.view(np.uint8).reshape(*pixels.shape, 4)
        return np.ascontiguousarray(channels[..., :3])


def _space(back: bool) -> FactorSpace:
    sides = _ROTATIONS if back else _ROTATIONS[1:]
    angles = [_ROTATIONS.index(side) * np.pi / 2 for side in sides]
    return FactorSpace(
        [
            *(Factor(part, tuple(range(n)), "categorical") for part, n in _PARTS.items()),
            Factor("action", tuple(range(len(_ACTIONS))), "categorical", _ACTIONS),
            Factor("rotation", tuple(angles), "circular", sides),
            Factor("frame", tuple(range(_N_FRAMES)), "ordinal"),
        ]
    )


def _tiles(folder: Path, n: int) -> np.ndarray:
    """Sprites (sheets, rows, frames, 64, 64) of the sheets 0.png, 1.png... of a part.

    A pixel is its red, green, blue and 255 as the bytes of an uint32, or 0 if it is transparent.
    """
    n_rows = len(_ACTIONS) * len(_ROTATIONS)
    found = np.empty((n, n_rows, _N_FRAMES, _SIDE, _SIDE), dtype=np.uint32)
    for k in range(n):
        sheet = np.array(_sheet(folder / f"{k}.png")[: n_rows * _SIDE, : _N_FRAMES * _SIDE])
        is_opaque = sheet[..., 3] > _OPAQUE
        sheet[..., 3] = 255
        pixels = np.where(is_opaque, sheet.view(np.uint32)[..., 0], 0)
        found[k] = pixels.reshape(n_rows, _SIDE, _N_FRAMES, _SIDE).transpose(0, 2, 1, 3)
    return found


def _sheet(file: Path) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    if not file.is_file():
        raise FileNotFoundError(
            f"the sheet {file} is missing: each part needs its sheets, as "
            f"{', '.join(f'{part} {n}' for part, n in _PARTS.items())}; clone "
            "https://github.com/YingzhenLi/Sprites again"
        )
    try:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("RGBA"))
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise ValueError(f"the sheet {file} is damaged ({error}): get it again") from error
    if pixels.shape[:2] != _SHEET:
        raise ValueError(
            f"the sheet {file} is of {pixels.shape[1]} x {pixels.shape[0]} pixels, not "
            f"{_SHEET[1]} x {_SHEET[0]}: it is not one of the published sheets"
        )
    return pixels
