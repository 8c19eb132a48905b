"""Training: one visible loop, its configuration, batches, curves and checkpoints."""

from unweave._extras import require

require("models", needed_by="unweave.training")

from unweave._settings import TrainingConfig, TrainingSettings
from unweave.training.checkpoint import load_model
from unweave.training.course import TRAINING_REVISION
from unweave.training.ensemble import Member, train_ensemble
from unweave.training.loop import DivergedError, train

__all__ = [
    "DivergedError",
    "Member",
    "TRAINING_REVISION",
    "TrainingConfig",
    "TrainingSettings",
    "load_model",
    "train",
    "train_ensemble",
]
