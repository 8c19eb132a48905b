"""Training: one visible loop, its configuration, batches, curves and checkpoints."""

from unweave.training.checkpoint import load_model
from unweave.training.config import TrainingConfig
from unweave.training.loop import DivergedError, train

__all__ = ["DivergedError", "TrainingConfig", "load_model", "train"]
