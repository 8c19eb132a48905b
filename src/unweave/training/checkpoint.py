"""Checkpoints: safetensors and JSON in a folder that appears whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from unweave.models import VAE, Network, build_vae

__all__ = ["latest_checkpoint", "load_model", "load_checkpoint", "save_checkpoint", "write_json"]

FORMAT = 1


def save_checkpoint(
    folder: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, keep: set[int]
) -> Path:
    """Write ``folder/checkpoints/step-...``; older ones go, but for models of steps ``keep``."""
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    final = checkpoints / f"step-{step:08d}"
    if not final.exists():
        temporary = checkpoints / f".{final.name}-{uuid.uuid4().hex}"
        temporary.mkdir()
        save_file(_contiguous(model.state_dict()), temporary / "model.safetensors")
        save_file(_optimizer_tensors(optimizer), temporary / "optimizer.safetensors")
        write_json(temporary / "state.json", {"format": FORMAT, "step": step})
        os.replace(temporary, final)
    for old in checkpoints.iterdir():
        if old.name.startswith("."):  # left by a run that was killed while writing
            shutil.rmtree(old, ignore_errors=True)
        elif _step_of(old) < step and _step_of(old) in keep:
            (old / "optimizer.safetensors").unlink(missing_ok=True)
        elif _step_of(old) < step:
            shutil.rmtree(old, ignore_errors=True)
    return final


def latest_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint from which training can go on."""
    found = [p for p in _checkpoints(folder) if (p / "optimizer.safetensors").exists()]
    return found[-1] if found else None


def load_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Set model and optimiser to a checkpoint and return its step.

    Raises
    ------
    ValueError
        If the checkpoint is of another format or of another network.
    """
    state = json.loads((path / "state.json").read_text())
    if state.get("format") != FORMAT:
        raise ValueError(
            f"{path} has checkpoint format {state.get('format')}, this version reads {FORMAT}: "
            "use the version that wrote it, or train anew in another folder"
        )
    _load_weights(path, model)
    tensors = load_file(path / "optimizer.safetensors")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for i, parameter in enumerate(parameters):
        moments = {}
        for key in ("exp_avg", "exp_avg_sq"):
            # The fused optimiser walks memory in order: the layout must be the parameter's.
            moments[key] = torch.empty_like(parameter).copy_(tensors[f"{i}.{key}"])
        steps = tensors[f"{i}.step"]
        optimizer.state[parameter] = {"step": steps.to(parameter.device), **moments}
    return int(state["step"])


def load_model(run: Path, *, step: int | None = None) -> VAE:
    """The trained model of a run's folder, at its last checkpoint or at a milestone.

    Raises
    ------
    FileNotFoundError
        If the folder is no run, or has no checkpoint of that step.
    """
    description_file = run / "config.json"
    if not description_file.exists():
        raise FileNotFoundError(f"{run} is no run: it has no config.json")
    found = {_step_of(p): p for p in _checkpoints(run)}
    if not found or (step is not None and step not in found):
        raise FileNotFoundError(
            f"{run} has no checkpoint{'' if step is None else f' of step {step}'}; it has "
            f"{sorted(found) or 'none'}"
        )
    description = json.loads(description_file.read_text())
    model = build_vae(Network(**description["network"]), tuple(description["image_shape"]), seed=0)
    _load_weights(found[max(found) if step is None else step], model)
    return model.eval()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON under a temporary name, then give it its own."""
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    temporary.write_text(json.dumps(content, indent=1, allow_nan=False))
    os.replace(temporary, path)


def _load_weights(path: Path, model: nn.Module) -> None:
    try:
        model.load_state_dict(load_file(path / "model.safetensors"))
    except RuntimeError as error:
        raise ValueError(f"{path} belongs to another network: {error}") from error


def _checkpoints(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoints").glob("step-*"))


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor.detach().contiguous() for key, tensor in tensors.items()}


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return _contiguous({f"{i}.{k}": value for i, s in state.items() for k, value in s.items()})
