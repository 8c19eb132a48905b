"""What each command can do with a dataset, and what it cannot, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unweave.datasets import ImageDataset

__all__ = ["Ability", "abilities"]

_SOUND_ROWS = 10_000
_FEW = 1_000
_TESTED_LATENTS = 10


@dataclass(frozen=True)
class Ability:
    """What a command can do with a dataset."""

    command: str
    possible: bool
    text: str
    """How, or why not."""


def abilities(dataset: ImageDataset) -> list[Ability]:
    """What each command that takes a dataset can do with this one."""
    return [
        _train(dataset),
        _encode(dataset),
        _score(dataset),
        _show(dataset),
        _geomancer(dataset),
        _symmetry(dataset),
        _study(dataset),
    ]


def _train(dataset: ImageDataset) -> Ability:
    """Try the networks: none of their weights takes memory."""
    import torch

    from unweave.models.networks import NETWORKS, Network, build_encoder

    fitting, reasons = [], []
    for name in NETWORKS:
        try:
            with torch.device("meta"):
                build_encoder(Network(name=name, width=0.1), dataset.image_shape)  # type: ignore[arg-type]
            fitting.append(name)
        except ValueError as error:
            reasons.append(str(error))
    if not fitting:
        text = reasons[0]
    else:
        text = f"--network {' or '.join(fitting)}"
        text += f"; {reasons[0].partition(':')[0]}" if reasons else ""
    return Ability("train", bool(fitting), text)


def _encode(dataset: ImageDataset) -> Ability:
    from unweave.datasets import FactorDataset

    n = len(dataset)
    text = "by any encoder (`unweave encoders list`)"
    if n < _SOUND_ROWS and isinstance(dataset, FactorDataset):
        text += f"; scores of fewer than {_SOUND_ROWS:,} images, here {n:,}, are biased upwards"
    return Ability("encode, assess", True, text)


def _score(dataset: ImageDataset) -> Ability:
    import numpy as np

    from unweave.datasets import FactorDataset
    from unweave.metrics import BY_DEFAULT, LABEL_FREE
    from unweave.metrics.evaluation import undefined_metrics

    label_free = ", ".join(LABEL_FREE)
    if not isinstance(dataset, FactorDataset):
        return Ability(
            "score", True, f"metrics that need no factors: {label_free}; `study udr` ranks models"
        )
    known = dataset.labelled_rows
    n_known = len(dataset) if known is None else len(known)
    if not n_known:
        return Ability(
            "score",
            True,
            f"metrics that need no factors: {label_free}; no image has a value of every factor: "
            "choose factors with ?factors=NAME,NAME",
        )
    codes = np.eye(_TESTED_LATENTS)
    undefined = undefined_metrics(codes, len(dataset.factor_names))
    text = f"{len(BY_DEFAULT) - len(undefined)} of {len(BY_DEFAULT)} metrics, on {n_known:,} images"
    if undefined:
        text += f"; left out: {', '.join(undefined)} ({next(iter(undefined.values()))})"
    return Ability("score", True, text)


def _show(dataset: ImageDataset) -> Ability:
    from unweave.datasets import FactorDataset, GridDataset

    if isinstance(dataset, GridDataset):
        text = "a row for each factor, which alone changes"
    elif isinstance(dataset, FactorDataset):
        text = "a row for each factor, images in its order"
    else:
        text = "some of the images"
    return Ability("data show", True, text)


def _geomancer(dataset: ImageDataset) -> Ability:
    text = "on codes of `encode`; it needs no factors"
    if len(dataset) < _FEW:
        text += f", but thousands of images, not {len(dataset):,}"
    return Ability("geomancer", True, text)


def _symmetry(dataset: ImageDataset) -> Ability:
    from unweave.datasets import GridDataset

    if not isinstance(dataset, GridDataset):
        return Ability(
            "symmetry", False, "it needs images of every combination of factors: a full grid"
        )
    groups = [symmetry.factor for symmetry in dataset.symmetries]
    if not groups:
        return Ability("symmetry", False, "no group is known to act on the images")
    return Ability("symmetry", True, f"groups that act on {', '.join(groups)}")


def _study(dataset: ImageDataset) -> Ability:
    if not dataset.source:
        return Ability("study", False, "it has no name to load it by in other processes")
    return Ability("study", True, f'dataset = "{dataset.source}" in a study file')
