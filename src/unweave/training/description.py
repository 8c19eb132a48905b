"""What a run's folder says that it holds, so that another run does not resume in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unweave._files import read_json
from unweave.datasets import ImageDataset
from unweave.models import VAE
from unweave.models.objectives import Objective
from unweave.training.config import TRAINING_REVISION, TrainingConfig

__all__ = ["CONFIG", "check_same_run", "describe_run"]

CONFIG = "config.json"
_COMPARED = (
    "dataset", "image_shape", "network", "objective", "training", "evaluation", "isometric",
)  # fmt: skip
_CONTINUED = ("training.steps", "training.milestones")


def describe_run(
    folder: str | Path,
    model: VAE,
    objective: Objective,
    dataset: ImageDataset,
    config: TrainingConfig,
) -> dict[str, Any]:
    """The description of a run, with what ``config.json`` in its folder says besides.

    Raises
    ------
    ValueError
        If ``config.json`` is damaged.
    """
    file = Path(folder) / CONFIG
    own: dict[str, Any] = {
        "dataset": dataset.name,
        "objective": objective.model_dump(mode="json"),
        "training": config.model_dump(mode="json"),
        "image_shape": list(model.image_shape),
        "revision": TRAINING_REVISION,
    }
    if model.network is not None:
        own["network"] = model.network.model_dump(mode="json")
    return {**(read_json(file) if file.exists() else {}), **own}


def check_same_run(
    folder: str | Path, description: Mapping[str, Any], done: int, *, may_continue: bool = True
) -> None:
    """Refuse to resume in a folder that holds another run.

    Parameters
    ----------
    folder
        The run's folder, with the ``config.json`` of what was trained in it.
    description
        What is to be trained.
    done
        Training steps that were done already.
    may_continue
        Whether a run of more steps is the same run, continued.

    Raises
    ------
    ValueError
        If fewer steps are asked for than were done, or anything else differs.
    """
    file = Path(folder) / CONFIG
    if not file.exists():
        return
    before = read_json(file)
    ours = before.keys() & {*_COMPARED, "imported"}
    if not ours or not isinstance(before.get("training", {}), Mapping):
        raise ValueError(
            f"{file} was not written by unweave: train in another folder, so that it is "
            "not overwritten"
        )
    if "training" not in before or not any((Path(folder) / "checkpoints").glob("step-*")):
        return  # a model that was imported, or a run of which nothing was kept
    steps = description["training"]["steps"]
    if steps < done:
        raise ValueError(
            f"{folder} was trained for {done:,} steps already, and {steps:,} were asked for: ask "
            f"for at least {done:,}, or choose another folder"
        )
    if before.get("revision", 0) != description["revision"]:
        raise ValueError(
            f"{folder} was begun by another version of unweave, whose random numbers differ from "
            "those of this one: finish it there, or train in another folder"
        )
    differing = _differences(before, description, _CONTINUED if may_continue else ())
    if may_continue:
        differing += _milestones(before, description, done)
    if differing:
        network = any(difference.startswith("network") for difference in differing)
        what = ", and its checkpoint belongs to another network" if network else ""
        finished = "finished " if (Path(folder) / "result.json").exists() else ""
        raise ValueError(
            f"{folder} holds another {finished}run{what}: {'; '.join(differing)}; choose another "
            "folder"
        )


def _differences(
    before: Mapping[str, Any], now: Mapping[str, Any], may_differ: Sequence[str]
) -> list[str]:
    """What differs, in words."""
    old, new = (
        {k: v for key in _COMPARED if key in content for k, v in _flat(content[key], key).items()}
        for content in (before, now)
    )
    if old.get("objective.name") != new.get("objective.name"):  # their options are of no interest
        old, new = (
            {k: v for k, v in content.items() if k == "objective.name" or k[:10] != "objective."}
            for content in (old, new)
        )
    shared_roots = {key for key in _COMPARED if key in before and key in now}
    return [
        f"{key} is {old.get(key)!r} there and {new.get(key)!r} here"
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
        and key not in may_differ
        and key.partition(".")[0] in shared_roots
    ]


def _milestones(before: Mapping[str, Any], now: Mapping[str, Any], done: int) -> list[str]:
    """Milestones among the steps that were done must be the same; the last one was scored too."""
    ended = before["training"].get("steps")
    old, new = (
        {m for m in content["training"].get("milestones", ()) if m <= done and m != ended}
        for content in (before, now)
    )
    if old == new:
        return []
    return [f"training.milestones up to step {done} are {sorted(old)} there and {sorted(new)} here"]


def _flat(value: Any, name: str) -> dict[str, Any]:
    """Values by the dotted path to each."""
    if not isinstance(value, Mapping):
        return {name: value}
    return {k: v for key, own in value.items() for k, v in _flat(own, f"{name}.{key}").items()}
