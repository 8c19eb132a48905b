"""Hyper-parameters of published studies, from the study files that repeat them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from unweave.models.objectives import Objective
from unweave.studies.kinds.training import TrainingStudy
from unweave.studies.loading import load_study

__all__ = ["Preset", "load_preset"]

_STUDIES = {"locatello": "locatello-dsprites"}


@dataclass(frozen=True)
class Preset:
    """How a study trained its models."""

    network: str
    """Name of the network."""
    training: Mapping[str, Any]
    """Fields of a :class:`~unweave.training.TrainingConfig`."""
    objectives: tuple[Objective, ...]
    """Every objective that it compared, with every value that it tried."""


def load_preset(name: str) -> Preset:
    """The preset of a name, as ``locatello``."""
    study = cast(TrainingStudy, load_study(_STUDIES[name]))
    (cells,) = study.cells
    training = {
        "steps": cells.milestones[-1],
        "batch_size": study.training.batch_size,
        "learning_rate": study.training.learning_rate,
    }
    return Preset(study.network.name, training, cells.objectives)
