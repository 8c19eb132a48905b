"""Checkpoints: safetensors and JSON in a folder that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from unweave._contents import Content, first_fault
from unweave._files import DamagedFileError, file_sha256, is_file, read_json, sealed
from unweave._storage import writable_folder, write_json
from unweave.models import VAE, Network, build_vae
from unweave.models.pretrained import WEIGHTS, load_weights, read_tensors, set_weights
from unweave.models.shipped import model_folder
from unweave.training.course import CONFIG, RunConfig, course_key

__all__ = [
    "ADVERSARY",
    "MODEL",
    "Resumed",
    "Learner",
    "checkpoint_damage",
    "foreign_checkpoint",
    "latest_checkpoint",
    "load_checkpoint",
    "load_model",
    "recorded_precision",
    "recorded_seconds",
    "resume",
    "save_checkpoint",
    "steps_done",
    "write_run",
]

FORMAT = 1
MODEL, ADVERSARY = "model", "adversary"
_MOMENTS = ("exp_avg", "exp_avg_sq")


class Learner(NamedTuple):
    """A network and the optimiser that trains it."""

    network: nn.Module
    optimizer: torch.optim.Optimizer


class Resumed(NamedTuple):
    """Where a run resumes."""

    step: int
    """Training steps done."""
    sums: dict[str, Any] | None = None
    """Running sums of the learning curve at that step, as they were saved."""
    cpu_seconds: float = 0.0
    """Processor time of these steps."""


class State(Content):
    """What ``state.json`` of a checkpoint holds."""

    format: int
    step: int
    run: str | None = None
    """Names the course of the run; checkpoints of earlier versions do not."""
    files: dict[str, str] = {}
    """SHA-256 of the tensors beside it, which earlier versions do not have either."""
    kept: bool = True
    sums: dict[str, Any] | None = None
    cpu_seconds: float = 0.0
    precision: str | None = None


def save_checkpoint(
    folder: str | Path,
    step: int,
    trained: Mapping[str, Learner],
    keep: Collection[int],
    sums: Mapping[str, Any] | None = None,
    *,
    run: str | None = None,
    **own: Any,
) -> Path:
    """Write ``folder/checkpoints/step-...``; of older ones, the last and models of steps ``keep``.

    The one before stays whole, to resume from if this one is damaged. ``trained`` holds what is
    under :data:`MODEL` and, if there is one, under :data:`ADVERSARY`. ``run`` names the course of
    the run (:func:`~unweave.training.course.course_key`). What is given besides is kept too, as the
    precision of the run.

    Raises
    ------
    OSError
        If the folder cannot be written, as when the disk is full.
    """
    checkpoints = writable_folder(Path(folder) / "checkpoints")
    final = checkpoints / f"step-{step:08d}"
    temporary = checkpoints / f".{final.name}-{uuid.uuid4().hex}"
    try:
        temporary.mkdir()
        for name, (network, optimizer) in trained.items():
            save_file(_contiguous(network.state_dict()), temporary / f"{name}.safetensors")
            save_file(_optimizer_tensors(optimizer), temporary / _optimizer_file(name))
        files = {file.name: file_sha256(file) for file in sorted(temporary.iterdir())}
        state = {"format": FORMAT, "step": step, "kept": step in keep, "sums": sums, **own}
        write_json(temporary / "state.json", sealed({"run": run, **state, "files": files}))
        if final.exists():  # damaged, as this step comes again
            shutil.rmtree(final)
        os.replace(temporary, final)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        reason = getattr(error, "strerror", None) or error
        number = getattr(error, "errno", None) or errno.EIO
        raise OSError(
            number,
            f"cannot write the checkpoint of step {step} into {folder} ({reason}): make room, or "
            "choose another folder; training resumes from the checkpoint before",
        ) from error
    _prune(checkpoints, step, keep)
    return final


def _prune(checkpoints: Path, step: int, keep: Collection[int]) -> None:
    """Remove what is not needed any more, now that there is a checkpoint of ``step``."""
    found = _checkpoints(checkpoints.parent)
    whole = [path for path in found if _step_of(path) < step and _is_whole(path)]
    for old in found:
        if _step_of(old) > step:  # damaged, or its steps would not come again
            shutil.rmtree(old, ignore_errors=True)
        elif _step_of(old) == step or old in whole[-1:]:
            continue
        elif _step_of(old) in keep:
            for needless in old.iterdir():
                if needless.name not in (f"{MODEL}.safetensors", "state.json"):
                    needless.unlink(missing_ok=True)
        else:
            shutil.rmtree(old, ignore_errors=True)
    for left in checkpoints.glob(".*"):  # by a run that was killed while writing
        shutil.rmtree(left, ignore_errors=True)


def latest_checkpoint(folder: str | Path) -> Path | None:
    """The last checkpoint from which training can be resumed."""
    found = [path for path in _checkpoints(Path(folder)) if _is_whole(path)]
    return found[-1] if found else None


def steps_done(folder: str | Path) -> int:
    """Training steps of the last checkpoint from which training can be resumed; 0 without one."""
    found = latest_checkpoint(folder)
    return 0 if found is None else _step_of(found)


def recorded_precision(folder: str | Path) -> str | None:
    """The precision that the run in a folder was begun with; None if no checkpoint is left.

    Earlier versions had it in the run's configuration alone.
    """
    states = [_state(path) for path in _checkpoints(Path(folder))[::-1] if _is_whole(path)]
    if not states:
        return None
    found = next((state["precision"] for state in states if "precision" in state), None)
    config = Path(folder) / CONFIG
    if found is None and config.exists():
        found = read_json(config, RunConfig).get("training", {}).get("precision")
    return None if found == "auto" else found


def recorded_seconds(folder: str | Path) -> float:
    """Processor time in the steps that were done, in seconds."""
    found = latest_checkpoint(folder)
    return 0.0 if found is None else _state(found).get("cpu_seconds", 0.0)


def resume(
    folder: str | Path | None, trained: Mapping[str, Learner], *, run: str | None = None
) -> Resumed:
    """Set networks and optimisers to the last checkpoint that can be read.

    A damaged one is passed over with a warning. If none can be read, nothing is set.

    Raises
    ------
    ValueError
        If the checkpoints are of another format, of another network, or of another run.
    """
    newest_first = _checkpoints(Path(folder))[::-1] if folder else []
    refusals: list[ValueError | FileNotFoundError] = []
    for path in newest_first:
        if not _is_whole(path) and (refusals or _step_of(path) == 0 or path != newest_first[0]):
            continue  # the model of a milestone, or of a run that was imported
        try:
            found = load_checkpoint(path, trained, run=run)
        except (ValueError, FileNotFoundError) as error:
            refusals.append(error)
            continue
        if refusals:
            _warn(refusals[0], f"resumed from the checkpoint of step {found.step:,}")
        return found
    for refusal in refusals:
        if not isinstance(refusal, DamagedFileError | FileNotFoundError):
            raise refusal
    if refusals:
        _warn(refusals[0], "no checkpoint can be read, so training starts from the beginning")
    return Resumed(0)


def load_checkpoint(
    path: str | Path, trained: Mapping[str, Learner], *, run: str | None = None
) -> Resumed:
    """Set networks and optimisers to a checkpoint and return its step.

    If ``run`` is given, which names the course of a run, the checkpoint must be of it.

    Raises
    ------
    FileNotFoundError, DamagedFileError
        If a file of the checkpoint is missing or damaged; then nothing is set.
    ValueError
        If the checkpoint is of another format, of another network, or of another run.
    """
    path = Path(path)
    state = _checked_state(path, run)
    read = {}
    for name, pair in trained.items():
        files = path / f"{name}.safetensors", path / _optimizer_file(name)
        for file in files:
            _check_tensors(file, state)
        read[name] = read_tensors(files[0]), _moments(pair.optimizer, files[1])
    for name, (network, optimizer) in trained.items():
        tensors, moments = read[name]
        set_weights(network, tensors, path / f"{name}.safetensors")
        for parameter, own in zip(_parameters(optimizer), moments, strict=True):
            # The fused optimiser walks memory in order: the layout must be the parameter's.
            placed = {key: torch.empty_like(parameter).copy_(own[key]) for key in _MOMENTS}
            optimizer.state[parameter] = {"step": own["step"].to(parameter.device), **placed}
    return Resumed(state["step"], state.get("sums"), state.get("cpu_seconds", 0.0))


def foreign_checkpoint(folder: str | Path, run: str | None) -> Path | None:
    """A checkpoint in the folder that is of another run than the one whose course has this name."""
    whole = (path for path in _checkpoints(Path(folder)) if _is_whole(path))
    return next((path for path in whole if _state(path).get("run") not in (None, run)), None)


def checkpoint_damage(path: str | Path, run: str | None = None) -> str | None:
    """What is wrong with a checkpoint's model and state, in words; None if nothing is.

    If ``run`` is given, which names the course of a run, the checkpoint must be of it.
    """
    path = Path(path)
    try:
        state = _checked_state(path, run)
        _check_tensors(path / f"{MODEL}.safetensors", state)
        return None
    except DamagedFileError as error:
        return error.damage
    except (ValueError, FileNotFoundError) as error:
        return str(error)


def load_model(run: str | Path, *, step: int | None = None) -> VAE:
    """The trained model of a run's folder, at its last checkpoint or at a milestone.

    It also reads a folder that ``save_pretrained`` wrote, and ``pretrained:NAME``, a model that
    comes with the package. If the last checkpoint is damaged, it loads the one before with a
    warning.

    Raises
    ------
    FileNotFoundError
        If the folder is not a run, or has no checkpoint of that step.
    ValueError
        If ``config.json`` or the checkpoint is damaged, or of another version.
    """
    run = model_folder(run)
    description_file = run / CONFIG
    if step is None and (run / WEIGHTS).exists():
        return VAE.from_pretrained(run)
    if not description_file.exists():
        raise FileNotFoundError(f"{run} is not a run folder: it has no {CONFIG}")
    found = {_step_of(p): p for p in _checkpoints(run)}
    kept = [own for own, path in found.items() if own == max(found) or not _is_spare(path)]
    if not found or (step is not None and step not in kept):
        raise FileNotFoundError(
            f"{run} has no checkpoint{'' if step is None else f' of step {step}'}; it has "
            f"{kept or 'none'}"
        )
    description = _description(description_file)
    model = None
    refusals: list[ValueError | FileNotFoundError] = []
    for own in sorted(found, reverse=True) if step is None else [step]:
        weights = found[own] / f"{MODEL}.safetensors"
        try:
            _check_tensors(weights, _checked_state(found[own], course_key(description)))
            if model is None:
                model = _described_model(description, description_file, weights)
            load_weights(model, weights)
        except (DamagedFileError, FileNotFoundError) as error:
            refusals.append(error)
            continue
        if refusals:
            _warn(refusals[0], f"the model of step {own:,} was loaded")
        return model.eval()
    raise refusals[0]


def write_run(model: VAE, folder: str | Path, description: Mapping[str, Any]) -> None:
    """Write a model that was trained elsewhere as a run, at step 0.

    Raises
    ------
    ValueError
        If there is something else in the folder, or the model was not built from a Network.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty: choose another folder")
    if model.network is None:
        raise ValueError("the model's encoder and decoder were not built from a Network")
    checkpoint = folder / "checkpoints" / "step-00000000"
    checkpoint.mkdir(parents=True)
    save_file(_contiguous(model.state_dict()), checkpoint / f"{MODEL}.safetensors")
    files = {file.name: file_sha256(file) for file in checkpoint.iterdir()}
    state = {"format": FORMAT, "step": 0, "files": files}
    write_json(checkpoint / "state.json", sealed(state))
    own = {
        "network": model.network.model_dump(mode="json"),
        "image_shape": list(model.image_shape),
    }
    write_json(folder / CONFIG, {**description, **own})


def _description(file: Path) -> dict[str, Any]:
    """The content of ``config.json``, which says what to build."""
    content = read_json(file)
    missing = [key for key in ("network", "image_shape") if key not in content]
    if missing:
        raise ValueError(
            f"{file} does not describe a model of unweave: it has no {' and no '.join(missing)}"
        )
    return read_json(file, RunConfig)


def _described_model(description: Mapping[str, Any], file: Path, weights: Path) -> VAE:
    """A model as ``config.json`` describes it, with weights yet to be set."""
    try:
        network = Network(**description["network"])
        height, width, channels = description["image_shape"]
        # Each input of the decoder has weights of its own, of four bytes.
        if weights.exists() and 4 * (network.n_latents + network.n_noise) > weights.stat().st_size:
            raise ValueError(f"it has more latents than there are weights in {weights}")
        return build_vae(network, (height, width, channels), seed=0)
    except (TypeError, ValueError, RuntimeError, MemoryError) as error:
        reason = first_fault(error) if isinstance(error, ValidationError) else error
        raise ValueError(f"{file} does not describe a model of this version ({reason})") from error


def _checked_state(path: Path, run: str | None = None) -> dict[str, Any]:
    """``state.json`` of a checkpoint of this version, and of the run of that name."""
    file = path / "state.json"
    if not is_file(file):
        raise DamagedFileError(f"{path} is not a checkpoint: it has no state.json")
    state = read_json(file)
    if state.get("format", FORMAT) != FORMAT:
        raise ValueError(
            f"{path} has checkpoint format {state['format']}, this version reads {FORMAT}: "
            "use the version that wrote it, or train again in another folder"
        )
    state = read_json(file, State)
    if state["step"] != _step_of(path):
        raise DamagedFileError(f"{file} says that it is of step {state['step']}")
    if run is not None and state.get("run") not in (None, run):
        raise ValueError(
            f"{path} is of another run than {path.parent.parent / CONFIG} describes: restore the "
            "one that belongs there, or train in another folder"
        )
    return state


def _check_tensors(file: Path, state: Mapping[str, Any]) -> None:
    """Refuse a file of tensors that is not the one that was written."""
    expected = state.get("files", {}).get(file.name)
    if is_file(file) and expected is not None and file_sha256(file) != expected:
        raise DamagedFileError(f"{file} is damaged (its SHA-256 is not that in state.json)")


def _moments(optimizer: torch.optim.Optimizer, file: Path) -> list[dict[str, Tensor]]:
    """The optimiser's state of each parameter, from a file."""
    tensors = read_tensors(file)
    parameters = _parameters(optimizer)
    missing = {f"{i}.{key}" for i in range(len(parameters)) for key in ("step", *_MOMENTS)}
    missing -= tensors.keys()
    if missing:
        raise DamagedFileError(f"{file} lacks {len(missing)} tensors, as {min(missing)}")
    return [
        {key: tensors[f"{i}.{key}"] for key in ("step", *_MOMENTS)} for i in range(len(parameters))
    ]


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _warn(error: Exception, what: str) -> None:
    damage = error.damage if isinstance(error, DamagedFileError) else error
    warnings.warn(f"{damage}; {what}", RuntimeWarning, stacklevel=4)


def _is_spare(path: Path) -> bool:
    """Whether it is there only in case a later one is damaged."""
    return not _state(path).get("kept", True)


def _state(path: Path) -> dict[str, Any]:
    """``state.json`` of a checkpoint; nothing if it cannot be read."""
    try:
        return read_json(path / "state.json", State)
    except (DamagedFileError, FileNotFoundError):
        return {}


def _is_whole(path: Path) -> bool:
    """Whether training can be resumed from it: it is not the model of a milestone alone."""
    return (path / _optimizer_file(MODEL)).exists()


def _optimizer_file(name: str) -> str:
    return "optimizer.safetensors" if name == MODEL else f"{name}_optimizer.safetensors"


def _checkpoints(folder: Path) -> list[Path]:
    """Folders of checkpoints, the last one last."""
    found = (folder / "checkpoints").glob("step-*")
    return sorted((p for p in found if p.name.removeprefix("step-").isdecimal()), key=_step_of)


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor.detach().contiguous() for key, tensor in tensors.items()}


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return _contiguous({f"{i}.{k}": value for i, s in state.items() for k, value in s.items()})
