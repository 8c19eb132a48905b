"""How a model is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from unweave._random import LARGEST_SEED

__all__ = ["TRAINING_REVISION", "TrainingConfig"]

TRAINING_REVISION = 1
"""How often a change of the code has changed what a configuration leads to."""


class TrainingConfig(BaseModel):
    """Budget, optimiser and device of one training run."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    steps: int = Field(default=20_000, ge=1)
    """Training steps in all."""
    milestones: tuple[int, ...] = ()
    """Steps at which the model is kept and scored; the last step always is one."""
    batch_size: int = Field(default=64, ge=1)
    """Images in a step, over all devices together, drawn with replacement."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Of Adam."""
    n_images: int | None = Field(default=None, ge=1, exclude_if=lambda n: n is None)
    """Images that training sees, drawn by the seed, fewer ones among the more; None for all."""
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """Seed of the weights, the batches and the latent noise."""
    log_every: int = Field(default=50, ge=1)
    """Steps over which a point of the learning curve is the mean."""
    checkpoint_every: int = Field(default=1000, ge=1)
    """Steps after which a killed run can go on."""
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device, as Lightning Fabric names it."""
    devices: int = Field(default=1, ge=1)
    """Devices that share each batch."""
    precision: str = "32-true"
    """Number format, as Lightning Fabric names it."""

    @model_validator(mode="after")
    def _check(self) -> TrainingConfig:
        late = [m for m in self.milestones if not 0 < m <= self.steps]
        if late:
            raise ValueError(f"milestones {late} are not within the {self.steps} steps")
        if self.batch_size % self.devices:
            raise ValueError(
                f"a batch of {self.batch_size} cannot be shared by {self.devices} devices evenly"
            )
        return self

    @property
    def all_milestones(self) -> tuple[int, ...]:
        """Milestones in order, the last step among them."""
        return tuple(sorted({*self.milestones, self.steps}))
