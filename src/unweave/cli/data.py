"""`unweave data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import App

from unweave.cli.console import print_json, print_line, print_texts, progress_bar
from unweave.cli.options import Json, Seed

if TYPE_CHECKING:
    from unweave.datasets import FactorDataset

__all__ = ["data"]

data = App(name="data", help="Datasets whose factors of variation are known.")


@data.command(name="list")
def data_list(*, json: Json = False) -> None:  # noqa: A002
    """The datasets, their factors, and whether they lie in the cache.

    Parameters
    ----------
    json
        Print JSON instead of a table.
    """
    from unweave.datasets import DATASETS, DSprites, load

    found = [load(name) for name in DATASETS]
    if json:
        print_json({"datasets": [_described(images) for images in found]})
        return
    rows = []
    for images in found:
        factors = ", ".join(f"{f.name} ({f.size} {f.kind})" for f in images.space.factors)
        is_cached = isinstance(images, DSprites) and images.is_prepared
        cached = "yes" if is_cached else "drawn on demand"
        shape = " x ".join(map(str, images.image_shape))
        rows.append((images.name, f"{len(images):,}", shape, factors, cached))
    factors = "rotation SO(3), light S^2"
    rows.append(("objects3d", "as asked", "64 x 64 x 1", factors, "rendered on demand"))
    print_texts(None, ("dataset", "images", "shape", "factors", "cached"), rows)


def _described(images: FactorDataset) -> dict[str, Any]:
    return {
        "dataset": images.name,
        "images": len(images),
        "shape": list(images.image_shape),
        "factors": [{"name": f.name, "size": f.size, "kind": f.kind} for f in images.space.factors],
        "cached": bool(getattr(images, "is_prepared", False)),
    }


@data.command(name="show")
def data_show(name: str, /, *, out: Path = Path("grid.png"), seed: Seed = 0) -> None:
    """Draw a picture of what each factor does: a row for each, its levels from left to right.

    Parameters
    ----------
    name
        A dataset; of objects3d the first row is rotated, the second lit from elsewhere.
    out
        File for the picture, .png.
    seed
        Seed for drawing the image that the rows start from.
    """
    from unweave.datasets import Objects3D, load
    from unweave.datasets.pictures import factor_traversals, object_traversals, save_png

    picture = (
        object_traversals(Objects3D(1, seed=seed))
        if name == Objects3D.name
        else factor_traversals(load(name), seed=seed)
    )
    save_png(picture, out)
    print_line(f"picture: {out}")


@data.command(name="prepare")
def data_prepare(name: str, /) -> None:
    """Draw all images of a dataset into the cache.

    Parameters
    ----------
    name
        A dataset; of objects3d the 10,000 images of its study.
    """
    from unweave.datasets import DSprites, Objects3D, load

    found = Objects3D() if name == Objects3D.name else load(name)
    with progress_bar() as report:
        found.prepare(lambda done, total: report("drawing", done, total))
    if isinstance(found, DSprites | Objects3D):
        print_line(f"cached: {found.cache_file}")
    else:
        print_line(f"{name} is drawn when it is asked for: there is nothing to cache")


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
def data_fetch(name: Literal["dsprites"], /) -> None:
    """Download a dataset's official file into the cache. No other command downloads it.

    Parameters
    ----------
    name
        A dataset.
    """
    from unweave.datasets import DSprites

    with progress_bar() as report:
        path = DSprites.fetch(lambda done, total: report("downloading", done, total or done))
    print_line(f"fetched: {path}")
