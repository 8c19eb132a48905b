"""Settings of runs in words."""

from __future__ import annotations

from unweave.training import TrainingConfig

__all__ = ["optimiser_words"]


def optimiser_words(training: TrainingConfig) -> str:
    """The optimiser and what it is given, in words."""
    adam = training.optimizer == "adam"
    parts = ["Adam" if adam else f"AdamW, weight decay {training.weight_decay:g}"]
    parts.append(f"learning rate {training.learning_rate:g}")
    if training.schedule != "constant":
        parts.append(f"{training.schedule} schedule")
    if training.warm_up_steps:
        parts.append(f"{training.warm_up_steps:,} steps of warm-up")
    if training.gradient_clip is not None:
        parts.append(f"gradient entries of at most {training.gradient_clip:g}")
    if training.gradient_clip_norm is not None:
        parts.append(f"gradients of norm {training.gradient_clip_norm:g} at most")
    return ", ".join(parts)
