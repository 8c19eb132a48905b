"""Checkpoints: safetensors and JSON in a folder that appears whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from unweave.models import VAE, Network, build_vae
from unweave.models.pretrained import WEIGHTS, load_weights

__all__ = [
    "ADVERSARY",
    "MODEL",
    "Trained",
    "latest_checkpoint",
    "load_checkpoint",
    "load_model",
    "save_checkpoint",
    "write_json",
    "write_run",
]

FORMAT = 1
MODEL, ADVERSARY = "model", "adversary"


class Trained(NamedTuple):
    """A network and the optimiser that trains it."""

    network: nn.Module
    optimizer: torch.optim.Optimizer


def save_checkpoint(
    folder: Path, step: int, trained: Mapping[str, Trained], keep: set[int]
) -> Path:
    """Write ``folder/checkpoints/step-...``; older ones go, but for models of steps ``keep``.

    ``trained`` holds what is under :data:`MODEL` and, if there is one, under :data:`ADVERSARY`.
    """
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    final = checkpoints / f"step-{step:08d}"
    if not final.exists():
        temporary = checkpoints / f".{final.name}-{uuid.uuid4().hex}"
        temporary.mkdir()
        for name, (network, optimizer) in trained.items():
            save_file(_contiguous(network.state_dict()), temporary / f"{name}.safetensors")
            save_file(_optimizer_tensors(optimizer), temporary / _optimizer_file(name))
        write_json(temporary / "state.json", {"format": FORMAT, "step": step})
        os.replace(temporary, final)
    for old in checkpoints.iterdir():
        if old.name.startswith("."):  # left by a run that was killed while writing
            shutil.rmtree(old, ignore_errors=True)
        elif _step_of(old) < step and _step_of(old) in keep:
            for needless in old.iterdir():
                if needless.name not in (f"{MODEL}.safetensors", "state.json"):
                    needless.unlink(missing_ok=True)
        elif _step_of(old) < step:
            shutil.rmtree(old, ignore_errors=True)
    return final


def latest_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint from which training can go on."""
    found = [p for p in _checkpoints(folder) if (p / _optimizer_file(MODEL)).exists()]
    return found[-1] if found else None


def load_checkpoint(path: Path, trained: Mapping[str, Trained]) -> int:
    """Set networks and optimisers to a checkpoint and return its step.

    Raises
    ------
    ValueError
        If the checkpoint is damaged, of another format or of another network.
    """
    step = _checked_step(path)
    for name, (network, optimizer) in trained.items():
        load_weights(network, path / f"{name}.safetensors")
        tensors = load_file(path / _optimizer_file(name))
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        for i, parameter in enumerate(parameters):
            moments = {}
            for key in ("exp_avg", "exp_avg_sq"):
                # The fused optimiser walks memory in order: the layout must be the parameter's.
                moments[key] = torch.empty_like(parameter).copy_(tensors[f"{i}.{key}"])
            steps = tensors[f"{i}.step"]
            optimizer.state[parameter] = {"step": steps.to(parameter.device), **moments}
    return step


def load_model(run: Path, *, step: int | None = None) -> VAE:
    """The trained model of a run's folder, at its last checkpoint or at a milestone.

    A folder that ``save_pretrained`` wrote will do too.

    Raises
    ------
    FileNotFoundError
        If the folder is no run, or has no checkpoint of that step.
    ValueError
        If the checkpoint is damaged, or of another version.
    """
    description_file = run / "config.json"
    if step is None and (run / WEIGHTS).exists():
        return VAE.from_pretrained(run)
    if not description_file.exists():
        raise FileNotFoundError(f"{run} is no run: it has no config.json")
    found = {_step_of(p): p for p in _checkpoints(run)}
    if not found or (step is not None and step not in found):
        raise FileNotFoundError(
            f"{run} has no checkpoint{'' if step is None else f' of step {step}'}; it has "
            f"{sorted(found) or 'none'}"
        )
    description = json.loads(description_file.read_text(encoding="utf-8"))
    model = build_vae(Network(**description["network"]), tuple(description["image_shape"]), seed=0)
    checkpoint = found[max(found) if step is None else step]
    _checked_step(checkpoint)
    load_weights(model, checkpoint / f"{MODEL}.safetensors")
    return model.eval()


def write_run(model: VAE, folder: Path, description: Mapping[str, Any]) -> None:
    """Write a model that was trained elsewhere as a run, at step 0.

    Raises
    ------
    ValueError
        If there is something else in the folder, or the model was not built from a Network.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty: choose another folder")
    if model.network is None:
        raise ValueError("the model's encoder and decoder were not built from a Network")
    checkpoint = folder / "checkpoints" / "step-00000000"
    checkpoint.mkdir(parents=True)
    save_file(_contiguous(model.state_dict()), checkpoint / f"{MODEL}.safetensors")
    write_json(checkpoint / "state.json", {"format": FORMAT, "step": 0})
    own = {
        "network": model.network.model_dump(mode="json"),
        "image_shape": list(model.image_shape),
    }
    write_json(folder / "config.json", {**description, **own})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON under a temporary name, then give it its own."""
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    temporary.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
    os.replace(temporary, path)


def _checked_step(path: Path) -> int:
    """The step of a checkpoint of this version."""
    file = path / "state.json"
    if not file.exists():
        raise ValueError(f"{path} is no checkpoint: it has no state.json")
    state = json.loads(file.read_text(encoding="utf-8"))
    if state.get("format") != FORMAT:
        raise ValueError(
            f"{path} has checkpoint format {state.get('format')}, this version reads {FORMAT}: "
            "use the version that wrote it, or train anew in another folder"
        )
    return int(state["step"])


def _optimizer_file(name: str) -> str:
    return "optimizer.safetensors" if name == MODEL else f"{name}_optimizer.safetensors"


def _checkpoints(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoints").glob("step-*"))


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor.detach().contiguous() for key, tensor in tensors.items()}


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return _contiguous({f"{i}.{k}": value for i, s in state.items() for k, value in s.items()})
