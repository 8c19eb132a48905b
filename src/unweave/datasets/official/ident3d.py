"""3DIdent (Zimmermann et al. 2021) and Causal3DIdent (von Kügelgen et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from unweave._check import check_choice
from unweave.datasets.factors import Factor
from unweave.datasets.official._named_files import existing_files
from unweave.datasets.official.location import official_file
from unweave.datasets.own.files import Fit, ImageFiles, Resample
from unweave.datasets.table import ImageTable

__all__ = ["Causal3DIdent", "ThreeDIdent"]

Split = Literal["train", "test"]

_POSITIONS = ("object_x", "object_y", "object_z")
_ANGLES = (
    "object_alpha",
    "object_beta",
    "object_gamma",
    "spotlight_position",
    "object_hue",
    "spotlight_hue",
    "background_hue",
)
_SHAPES = ("teapot", "hare", "dragon", "cow", "armadillo", "horse", "head")


class ThreeDIdent(ImageTable):
    """3DIdent: 250,000 images (25,000 for testing) of a teapot, published at 224 pixels.

    Ten continuous factors in [-1, 1], uniform and independent: the object's position and its three
    angles, the angle at which the spotlight stands around it, and the hues of object, spotlight
    and background.

    None of them is a circle unless the files say so. The generator takes a number z of an angle or
    a hue to an angle of z times 90 degrees, half a turn in all, whose ends look different. If
    ``latents.npy``, the numbers that were rendered, lies beside ``raw_latents.npy`` and a column
    there runs through a whole turn, the factor is circular, with the angle in radians.

    Zimmermann et al. (2021), https://arxiv.org/abs/2102.08850; the generator is
    https://github.com/brendel-group/cl-ica, tools/3dident.

    Parameters
    ----------
    path
        Folder that holds ``raw_latents.npy`` and ``images``; or folders ``train`` and ``test`` of
        them, as the unpacked archives have. By default the folder ``3dident`` of the cache.
    split
        ``train`` or ``test``, where the folder holds both; train if it is left out.
    size
        Pixels: a side, or height and width; 224 for the published ones.
    resample
        Filter that images are resized with.
    fit
        What happens to images of another aspect ratio.

    Raises
    ------
    FileNotFoundError
        If files are missing; the first of them are named.
    ValueError
        If the latents are not of ten columns in [-1, 1].
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        split: Split | None = None,
        size: int | tuple[int, int] = 64,
        resample: Resample = "bicubic",
        fit: Fit = "stretch",
    ) -> None:
        folder = _folder("3dident", path, split, "raw_latents.npy", ("{}", "3dident/{}"))
        raw = _raw_latents(folder / "raw_latents.npy")
        images = ImageFiles(
            _image_files(folder / "images", len(raw), "3dident"),
            size=size,
            resample=resample,
            fit=fit,
            channels="colour",
            name="3dident",
        )
        is_turn = _whole_turns([folder / "latents.npy"], raw)
        super().__init__(images, _factors(is_turn), _values(raw, is_turn))


class Causal3DIdent(ImageTable):
    """Causal3DIdent: 252,000 images (25,200 for testing) of seven objects, at 224 pixels.

    The factors of :class:`ThreeDIdent`, and ``object_shape``, with seven levels. They are not
    independent: those of the object are drawn around values that its shape, the spotlight and the
    background set. Scores that compare a factor with a latent count what they share.

    von Kügelgen et al. (2021), https://arxiv.org/abs/2106.04619.

    Parameters
    ----------
    path
        Folder that holds ``raw_latents_0.npy`` to ``raw_latents_6.npy`` and ``images_0`` to
        ``images_6``; or folders ``trainset`` and ``testset`` of them, as the unpacked archives
        are called. By default the folder ``causal3dident`` of the cache.
    split
        ``train`` or ``test``, where the folder holds both; train if it is left out.
    size
        Pixels: a side, or height and width; 224 for the published ones.
    resample
        Filter that images are resized with.
    fit
        What happens to images of another aspect ratio.

    Raises
    ------
    FileNotFoundError
        If files are missing; the first of them are named.
    ValueError
        If the latents are not of ten columns in [-1, 1].
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        split: Split | None = None,
        size: int | tuple[int, int] = 64,
        resample: Resample = "bicubic",
        fit: Fit = "stretch",
    ) -> None:
        name = "causal3dident"
        folder = _folder(name, path, split, "raw_latents_0.npy", ("{}set",))
        of_shapes = [
            _raw_latents(official_file(name, folder, f"raw_latents_{shape}.npy"))
            for shape in range(len(_SHAPES))
        ]
        files = [
            file
            for shape, raw in enumerate(of_shapes)
            for file in _image_files(folder / f"images_{shape}", len(raw), name)
        ]
        images = ImageFiles(
            files, size=size, resample=resample, fit=fit, channels="colour", name=name
        )
        raw = np.concatenate(of_shapes)
        rendered = [folder / f"latents_{shape}.npy" for shape in range(len(_SHAPES))]
        is_turn = _whole_turns(rendered, raw)
        shape_of = np.repeat(np.arange(len(_SHAPES)), [len(raw) for raw in of_shapes])
        shape = Factor("object_shape", tuple(range(len(_SHAPES))), "categorical", _SHAPES)
        super().__init__(
            images,
            [shape, *_factors(is_turn)],
            np.column_stack([shape_of, _values(raw, is_turn)]),
        )


def _folder(
    name: str, path: str | Path | None, split: Split | None, file: str, places: Sequence[str]
) -> Path:
    """The folder that holds the file, itself or in the folder of a split."""
    if split is not None:
        check_choice("split", split, ("train", "test"))
    inside = [f"{place.format(split or 'train')}/{file}" for place in places]
    wanted = inside if split else [file, *inside]
    return official_file(name, path, *wanted).parent


def _raw_latents(path: Path) -> np.ndarray:
    """Latents (n, 10) in [-1, 1]."""
    raw = _loaded(path)
    n_columns = len(_POSITIONS) + len(_ANGLES)
    if raw.dtype.kind != "f" or raw.ndim != 2 or raw.shape[1] != n_columns or not len(raw):
        raise ValueError(
            f"{path} holds {raw.dtype} of shape {raw.shape}, not numbers of shape (n, {n_columns}):"
            " give the published raw_latents, which have a column for each factor"
        )
    if not (np.abs(raw) <= 1 + 1e-6).all():
        raise ValueError(
            f"{path} holds numbers outside of [-1, 1]: give the published raw_latents, not the "
            "latents as they were rendered"
        )
    return raw.astype(np.float64)


def _whole_turns(files: Sequence[Path], raw: np.ndarray) -> np.ndarray:
    """Which factors (10,) run through a whole turn as they were rendered, if the files are there.

    The rendered angle is a straight line in the raw latent, which is fitted.
    """
    is_turn = np.zeros(raw.shape[1], dtype=bool)
    if not all(file.is_file() for file in files):
        return is_turn
    rendered = np.concatenate([_loaded(file) for file in files])
    if rendered.shape != raw.shape:
        raise ValueError(
            f"{files[0].name} beside the raw latents is of shape {rendered.shape}, and they are of "
            f"{raw.shape}: give files of the same images"
        )
    for column in range(len(_POSITIONS), raw.shape[1]):
        centred = raw[:, column] - raw[:, column].mean()
        size = centred @ centred
        slope = centred @ rendered[:, column] / size if size else 0.0
        is_turn[column] = abs(abs(slope) - np.pi) < 0.01
    return is_turn


def _factors(is_turn: np.ndarray) -> list[Factor]:
    names = (*_POSITIONS, *_ANGLES)
    return [
        Factor(name, (), "circular" if turn else "continuous")
        for name, turn in zip(names, is_turn, strict=True)
    ]


def _values(raw: np.ndarray, is_turn: np.ndarray) -> np.ndarray:
    """Values (n, 10): in [-1, 1], or an angle in radians."""
    return np.where(is_turn, np.pi * raw, raw)


def _image_files(folder: Path, n: int, name: str) -> list[str]:
    """The files 000.png, 001.png... of a folder, with as many digits as n images need."""
    digits = math.ceil(math.log10(n))
    return existing_files(folder, [f"{row:0{digits}d}.png" for row in range(n)], name)


def _loaded(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            f"{path} is not a file of latents of NumPy ({error}): get it again"
        ) from error
