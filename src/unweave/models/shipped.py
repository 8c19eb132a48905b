"""Trained models that come with the package, by name."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from unweave._check import check_choice

__all__ = ["PREFIX", "model_folder", "shipped_models"]

PREFIX = "pretrained:"
_FOLDER = "pretrained_files"


def shipped_models() -> dict[str, Path]:
    """The folder of each model that comes with the package, by its name.

    A folder holds what ``unweave export`` writes: ``config.json``, ``model.safetensors``,
    ``training.json`` and a model card.
    """
    folder = Path(str(resources.files("unweave.models"))) / _FOLDER
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/config.json"))}


def model_folder(name_or_folder: str | Path) -> Path:
    """The folder of ``pretrained:NAME``; any other text is a folder already.

    Raises
    ------
    ValueError
        If no model of that name comes with the package; those that do are named.

    >>> model_folder("runs/mine").name
    'mine'
    """
    given = str(name_or_folder)
    if not given.startswith(PREFIX):
        return Path(name_or_folder)
    models = shipped_models()
    return models[check_choice("pretrained model", given.removeprefix(PREFIX), models)]
