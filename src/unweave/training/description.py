"""What a run's folder says that it holds, so that another run does not resume in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from unweave._files import read_json
from unweave._settings import TrainingConfig
from unweave.datasets import DATASETS, FactorDataset, GridDataset, ImageDataset
from unweave.datasets.dataset import spread_rows
from unweave.models import VAE, Network
from unweave.models.objectives import Objective
from unweave.training.checkpoint import latest_checkpoint, recorded_seconds
from unweave.training.course import CONFIG, TRAINING_REVISION, RunConfig

__all__ = ["CONFIG", "check_same_run", "content_identity", "describe_run", "differences"]

_COMPARED = (
    "dataset", "image_shape", "network", "objective", "training", "evaluation", "isometric",
)  # fmt: skip
_BUDGETS = ("training.steps", "training.cpu_minutes")


def content_identity(dataset: ImageDataset) -> str | None:
    """What names images and factors of a dataset, so that others under its name are noticed.

    None for datasets of the catalogue that are drawn here, which are the same everywhere; and for
    images that differ each time they are read, as those of a random transformation.
    """
    entry = DATASETS.get(dataset.source or dataset.name)
    if entry is not None and not entry.files:
        return None
    rows = spread_rows(len(dataset))[:2]
    if not np.array_equal(dataset.images(rows), dataset.images(rows)):
        return None
    if not isinstance(dataset, FactorDataset) or isinstance(dataset, GridDataset):
        return dataset.identity
    digest = hashlib.sha256(repr(dataset.factor_columns).encode())
    digest.update(np.ascontiguousarray(dataset.all_factors(np.arange(len(dataset)))).data)
    return f"{dataset.identity}-factors-{digest.hexdigest()[:16]}"


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
        "dataset": dataset.source or dataset.name,
        "objective": objective.model_dump(mode="json"),
        "training": config.model_dump(mode="json"),
        "image_shape": list(model.image_shape),
        "revision": TRAINING_REVISION,
    }
    if model.network is not None:
        own["network"] = model.network.model_dump(mode="json")
    identity = content_identity(dataset)
    if identity is not None:
        own["identity"] = identity
    return {**(read_json(file, RunConfig) if file.exists() else {}), **own}


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
    DamagedFileError
        If ``config.json`` is damaged.
    ValueError
        If fewer steps are asked for than were done, or anything else differs.
    """
    folder = Path(folder)
    file = folder / CONFIG
    resumable = latest_checkpoint(folder) is not None
    if not file.exists():
        if resumable:
            raise ValueError(
                f"{folder} has checkpoints, and no {CONFIG} that says of which run: restore it, "
                "or choose another folder"
            )
        return
    before = read_json(file)
    if not before.keys() & {*_COMPARED, "imported"}:
        raise ValueError(
            f"{file} was not written by unweave: train in another folder, so that it is "
            "not overwritten"
        )
    before = read_json(file, RunConfig)
    is_finished = (folder / "result.json").exists()
    if resumable and not ("training" in before and before.keys() & {"objective", "isometric"}):
        raise ValueError(
            f"{file} does not say which run the checkpoints beside it are of: restore it, "
            "or choose another folder"
        )
    if "training" not in before or not (
        is_finished or any((folder / "checkpoints").glob("step-*"))
    ):
        return  # a model that was imported, or a run of which nothing was kept
    if before.get("revision", 0) != description["revision"]:
        raise ValueError(
            f"{folder} was begun by another version of unweave, whose random numbers differ from "
            "those of this one: finish it there, or train in another folder"
        )
    _refuse_other_images(folder, before, description)
    if may_continue:
        _refuse_another_course(folder, before, description)
    differing = differences(before, description, may_continue=may_continue)
    if may_continue and not differing:
        _refuse_smaller_budget(folder, before, description, done)
        differing = _milestones(before, description, done)
    if differing:
        network = any(difference.startswith("network") for difference in differing)
        what = ", and its checkpoint belongs to another network" if network else ""
        finished = "finished " if is_finished else ""
        raise ValueError(
            f"{folder} holds another {finished}run{what}: {'; '.join(differing)}; give the "
            "settings of that run to resume it, or choose another folder for a new one"
        )


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], *, may_continue: bool
) -> list[str]:
    """In what two descriptions of runs differ, in words.

    With ``may_continue``, the length of a run and its milestones do not count.
    """
    return _differences(before, now, _may_differ(before, now) if may_continue else ())


def _refuse_smaller_budget(
    folder: str | Path, before: Mapping[str, Any], now: Mapping[str, Any], done: int
) -> None:
    """Refuse to end a run before the place where it is."""
    steps, minutes = now["training"]["steps"], now["training"].get("cpu_minutes")
    if steps is not None and steps < done:
        raise ValueError(
            f"{folder} was trained for {done:,} steps already, and {steps:,} were asked for: ask "
            f"for at least {done:,}, or choose another folder"
        )
    earlier = before["training"].get("cpu_minutes")
    if minutes is None or earlier is None or minutes >= earlier:
        return  # a run that has used up its budget is a step beyond it
    used = recorded_seconds(folder) / 60
    if used > minutes:
        raise ValueError(
            f"{folder} was trained for {used:.3g} CPU minutes already, and {minutes:g} were asked "
            f"for: ask for at least {earlier:g}, or choose another folder"
        )


def _refuse_another_course(
    folder: str | Path, before: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Refuse another budget where the learning rates of all steps follow from it."""
    schedule = now["training"].get("schedule", "constant")
    budgets = [
        {key: content["training"].get(key) for key in ("steps", "cpu_minutes")}
        for content in (before, now)
    ]
    if schedule != "constant" and budgets[0] != budgets[1]:
        raise ValueError(
            f"the learning rate of {folder} falls over its whole budget (schedule {schedule}), so "
            "that a run with another budget has other steps from the first one: ask for the same "
            "budget, or choose another folder"
        )


def _may_differ(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """What may differ if the run is continued: milestones, how long, and an `auto` precision."""
    old, new = before["training"], now["training"]
    same_kind = (old.get("cpu_minutes") is None) == (new.get("cpu_minutes") is None)
    chosen = ("training.precision",) if new.get("precision") == "auto" else ()
    return ("training.milestones", *chosen, *(_BUDGETS if same_kind else ()))


def _refuse_other_images(
    folder: str | Path, before: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Refuse to resume on images that have changed under the same name."""
    if before.get("dataset") != now.get("dataset") or "identity" not in before.keys() & now.keys():
        return
    if before["identity"] != now["identity"]:
        raise ValueError(
            f"the images or factors of {now['dataset']} are not those that {folder} was trained "
            "on: restore them, or train in another folder"
        )


def _differences(
    before: Mapping[str, Any], now: Mapping[str, Any], may_differ: Sequence[str]
) -> list[str]:
    """What differs, in words."""
    old, new = (
        {k: v for key in _COMPARED if key in content for k, v in _flat(content[key], key).items()}
        for content in (_with_defaults(before), _with_defaults(now))
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


def _with_defaults(content: Mapping[str, Any]) -> dict[str, Any]:
    """With what training and network leave out, as it is the default."""
    full = dict(content)
    if "training" in content:
        full["training"] = {**_left_out(TrainingConfig), **content["training"]}
    if "network" in content:
        full["network"] = {**_left_out(Network), **content["network"]}
    return full


def _left_out(model: type[BaseModel]) -> dict[str, Any]:
    """Defaults of the fields that are written only where they differ from them."""
    defaults = {
        name: field.default
        for name, field in model.model_fields.items()
        if field.exclude_if is not None
    }
    return {
        name: value.model_dump() if isinstance(value, BaseModel) else value
        for name, value in defaults.items()
    }


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
