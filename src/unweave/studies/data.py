"""What results say of the data that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unweave.datasets import FactorDataset, GridDataset, ImageDataset, load
from unweave.studies.base import Run
from unweave.training.description import content_identity

__all__ = ["check_same_data", "data_sentence", "describe_data"]

_MOST_FACTORS = 12


def describe_data(dataset: ImageDataset) -> dict[str, Any]:
    """Name, number and shape of the images, and their factors, for JSON.

    ``kind`` is ``grid``, ``factors`` or ``images``; ``labelled`` the number of images of which
    every scored factor is known.
    """
    found: dict[str, Any] = {
        "name": dataset.name,
        "source": dataset.source or dataset.name,
        "images": len(dataset),
        "shape": list(dataset.image_shape),
        "kind": "images",
    }
    if not isinstance(dataset, FactorDataset):
        return found
    labelled = dataset.labelled_rows
    return {
        **found,
        "kind": "grid" if isinstance(dataset, GridDataset) else "factors",
        "labelled": len(dataset) if labelled is None else len(labelled),
        "factors": [{"name": f.name, "kind": f.kind, "size": f.size} for f in dataset.scored],
        "nuisances": list(dataset.nuisances),
    }


def data_sentence(data: dict[str, Any]) -> str:
    """What :func:`describe_data` found, in words."""
    height, width, channels = data["shape"]
    parts = [f"{data['images']:,} images of {height} x {width} x {channels}"]
    if data["kind"] == "images":
        parts.append("without factors")
    else:
        factors = [
            f"{f['name']} ({f['size']:,} {f['kind']})"
            if f["size"]
            else f"{f['name']} ({f['kind']})"
            for f in data["factors"]
        ]
        more = len(factors) - _MOST_FACTORS
        listed = ", ".join(factors[:_MOST_FACTORS]) + (f" and {more} more" if more > 0 else "")
        kind = "a full grid of factors" if data["kind"] == "grid" else "with factors"
        parts.append(f"{kind}: {listed}")
        if data["nuisances"]:
            parts.append(f"not scored: {', '.join(data['nuisances'])}")
        if data["labelled"] < data["images"]:
            parts.append(f"all factors are known of {data['labelled']:,} images")
    source = f" ({data['source']})" if data["source"] != data["name"] else ""
    return f"{data['name']}{source}: {'; '.join(parts)}"


def check_same_data(runs: Sequence[Run]) -> None:
    """Refuse to add to finished runs whose images have changed since under the same name.

    Raises
    ------
    ValueError
        If that is so.
    """
    now: dict[str, str | None] = {}
    for run in runs:
        name = run.dataset_name()
        if name is None or not run.is_finished:
            continue
        if name not in now:
            now[name] = content_identity(load(name))
        before = None if now[name] is None else run.data_identity()
        if before is not None and before != now[name]:
            raise ValueError(
                f"the images or factors of {name} are not those that the finished run {run.folder} "
                "is about: restore them, or run the study in another folder"
            )
