"""What all steps of a run follow from, so that a checkpoint says which run it is of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from unweave._contents import Content, Part

__all__ = ["CONFIG", "TRAINING_REVISION", "RunConfig", "course_key"]

TRAINING_REVISION = 1
"""How often a change of the code has changed what a configuration leads to."""

CONFIG = "config.json"
_ROOTS = ("dataset", "image_shape", "network", "objective", "isometric", "revision")
_OF_THE_END = ("steps", "cpu_minutes", "milestones", "precision")


class _Imported(Part):
    settings: dict[str, Any] = {}


class RunConfig(Content):
    """What ``config.json`` in a run's folder holds."""

    dataset: str | None = None
    image_shape: list[int] | None = Field(default=None, min_length=3, max_length=3)
    network: dict[str, Any] | None = None
    objective: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    evaluation: dict[str, Any] | None = None
    isometric: dict[str, Any] | None = None
    imported: _Imported | None = None
    identity: str | None = None
    revision: int = 0


def course_key(config: Mapping[str, Any]) -> str | None:
    """Names the course of a run: the hash of its description without what may differ on resuming.

    Those are how long it is, its milestones, and a precision that was chosen. None where the
    configuration is not of a training.
    """
    if not config.get("training"):
        return None
    content = {key: config[key] for key in _ROOTS if key in config}
    content["training"] = {k: v for k, v in config["training"].items() if k not in _OF_THE_END}
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
