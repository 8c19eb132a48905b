"""`unweave data`, but for `unweave data check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import App

from unweave.cli.console import print_json, print_line, print_texts, progress_bar
from unweave.cli.data_check import data_check
from unweave.cli.options import ImageSize, Json, ResizeFilter, Seed

if TYPE_CHECKING:
    from unweave.datasets import DatasetEntry, ImageDataset

__all__ = ["data"]

data = App(name="data", help="Images: your own, and the datasets that have a name.")
data.command(data_check, name="check")


@data.command(name="list")
def data_list(*, json: Json = False) -> None:  # noqa: A002
    """List the datasets that have a name: size, factors, licence, and where their files are.

    No file is opened. Images of your own need no name: see `unweave data check --help`.

    Parameters
    ----------
    json
        Print JSON instead of a table, with how to get the files that are not here.
    """
    from unweave.datasets import DATASETS

    found = [_described(entry) for entry in DATASETS.values()]
    if json:
        print_json({"datasets": found})
        return
    rows = [
        (
            one["dataset"],
            "-" if one["images"] is None else f"{one['images']:,}",
            "-" if one["shape"] is None else " x ".join(map(str, one["shape"])),
            one["factors"],
            one["licence"],
            "drawn here" if one["drawn"] else one["folder"] if one["present"] else "not here",
        )
        for one in found
    ]
    print_texts(None, ("dataset", "images", "shape", "factors", "licence", "files"), rows)
    missing = [one for one in found if one["how_to_get"]]
    if missing:
        print_line("")
        print_texts(
            "Files that are not here", ("dataset", "how to get them"),
            [(one["dataset"], one["how_to_get"]) for one in missing],
        )  # fmt: skip


def _described(entry: DatasetEntry) -> dict[str, Any]:
    from unweave.datasets.official.location import how_to_get, official_folder

    folder = official_folder(entry)
    is_present = folder.is_dir() and any(not p.name.startswith(".") for p in folder.iterdir())
    is_missing = bool(entry.files) and not is_present
    return {
        "dataset": entry.name,
        "text": entry.text,
        "images": entry.n_images,
        "shape": None if entry.image_shape is None else list(entry.image_shape),
        "factors": entry.factors,
        "licence": entry.licence,
        "source": entry.source,
        "drawn": not entry.files,
        "files": list(entry.files),
        "folder": str(folder) if entry.files else None,
        "present": bool(entry.files) and is_present,
        "how_to_get": how_to_get(entry) if is_missing else None,
    }


@data.command(name="show")
def data_show(
    name: str,
    /,
    *,
    image_size: ImageSize | None = None,
    resize_filter: ResizeFilter | None = None,
    out: Path = Path("grid.png"),
    seed: Seed = 0,
) -> None:
    """Draw a picture of what each factor does: a row for each, its levels from left to right.

    If the images are not a full grid, each row shows images in the order of one factor, while the
    other factors vary at random. Without factors, it shows some of the images.

    Parameters
    ----------
    name
        A dataset: a name, a file, a folder of images, hf:OWNER/NAME or package.module:object; of
        objects3d the first row is rotated, the second lit from elsewhere.
    image_size
        Height and width that images are resized to.
    resize_filter
        Filter for resizing; by default lanczos.
    out
        File for the picture, .png.
    seed
        Seed for drawing the images that the rows start from.
    """
    from unweave.datasets import Objects3D, load, with_options
    from unweave.datasets.names import parse
    from unweave.datasets.pictures import dataset_picture, object_traversals, save_png

    chosen = with_options(name, size=image_size, resample=resize_filter)
    options: dict[str, Any] = {"seed": seed} if parse(chosen).name == Objects3D.name else {}
    images = load(chosen, **options)
    picture = (
        object_traversals(images)
        if isinstance(images, Objects3D)
        else dataset_picture(images, seed=seed)
    )
    save_png(picture, out)
    print_line(f"picture: {out}")
    if rows := _rows_of(images):
        print_line(f"rows, from the top: {', '.join(rows)}")


def _rows_of(images: ImageDataset) -> tuple[str, ...]:
    """What each row of the picture of a dataset varies."""
    from unweave.datasets import FactorDataset, GridDataset, Objects3D

    if isinstance(images, Objects3D):
        return ("rotation", "light")
    if isinstance(images, GridDataset):
        return images.space.names
    return tuple(images.factor_names) if isinstance(images, FactorDataset) else ()


@data.command(name="prepare")
def data_prepare(
    name: str,
    /,
    *,
    image_size: ImageSize | None = None,
    resize_filter: ResizeFilter | None = None,
) -> None:
    """Draw, decode or resize all images of a dataset into the cache, once.

    Parameters
    ----------
    name
        A dataset: a name, a file, a folder of images, hf:OWNER/NAME or package.module:object; of
        objects3d the 10,000 images of its study.
    image_size
        Height and width that images are resized to.
    resize_filter
        Filter for resizing; by default lanczos.
    """
    from unweave.datasets import load, with_options

    chosen = with_options(name, size=image_size, resample=resize_filter)
    with progress_bar() as report:
        found = load(chosen, progress=lambda done, total: report("reading", done, total))
        prepared = found.prepare(lambda done, total: report("preparing", done, total))
    file = _cache_file(prepared)
    if file is not None and file.exists():
        print_line(f"cached: {file}")
    else:
        print_line(f"{chosen} is drawn or read when it is asked for: there is nothing to cache")


def _cache_file(dataset: Any) -> Path | None:
    """Where the images of a dataset are kept, or those that it selects from."""
    inner = getattr(dataset, "dataset", None) or getattr(dataset, "_images", None)
    found = getattr(dataset, "cache_file", None)
    return found if found is not None or inner is None else _cache_file(inner)


@data.command(name="export")
def data_export(name: Literal["dsprites"], file: Path, /) -> None:
    """Write a dataset in its official layout, for other tools.

    Parameters
    ----------
    name
        A dataset.
    file
        The .npz to write: imgs, latents_values, latents_classes, metadata.
    """
    from unweave.datasets import DSprites

    with progress_bar() as report:
        DSprites().export(file, lambda done, total: report("writing", done, total))
    print_line(f"written: {file}")


@data.command(name="fetch")
def data_fetch(name: str, /) -> None:
    """Download a dataset's official files into the cache. No other command downloads them.

    An interrupted download resumes. Every file is compared with its known hash.

    Parameters
    ----------
    name
        A dataset, as dsprites or shapes3d. If its files have no stable address, the command says
        where to get them.
    """
    from unweave.datasets.official.fetching import fetch

    with progress_bar() as report:
        files = fetch(name, progress=lambda file, here, total: report(file, here, total or here))
    for file in files:
        print_line(f"fetched: {file}")
