"""How a model is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from unweave._random import LARGEST_SEED
from unweave.models.defaults import filled

if TYPE_CHECKING:
    from unweave.models.objectives import Objective

__all__ = [
    "TRAINING_REVISION",
    "TrainingConfig",
    "TrainingSettings",
    "over_defaults",
]

TRAINING_REVISION = 1
"""How often a change of the code has changed what a configuration leads to."""

_Momentum = Annotated[float, Field(ge=0, lt=1)]


class TrainingSettings(BaseModel):
    """What a study and a single run configure alike."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    batch_size: int = Field(default=64, ge=1, le=65_536)
    """Images in a step, over all devices together, drawn with replacement."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Learning rate of the optimiser, the highest one of a schedule."""
    optimizer: Literal["adam", "adamw"] = Field(default="adam", exclude_if=lambda o: o == "adam")
    """Optimiser of the model: ``adam`` (Kingma and Ba 2015) or ``adamw`` (Loshchilov and Hutter
    2019)."""
    weight_decay: float = Field(default=0.0, ge=0, exclude_if=lambda w: w == 0)
    """Weight decay of AdamW, of matrices and kernels alone
    (:func:`~unweave.training.optimizers.parameter_groups`)."""
    betas: tuple[_Momentum, _Momentum] | None = Field(default=None, exclude_if=lambda b: b is None)
    """Decay rates of the optimiser's two moments; None for those of the objective."""
    gradient_clip: float | None = Field(default=None, gt=0, exclude_if=lambda c: c is None)
    """Largest absolute value of an entry of the gradient; larger ones are set to it."""
    gradient_clip_norm: float | None = Field(default=None, gt=0, exclude_if=lambda c: c is None)
    """Largest Euclidean norm of the gradient of all parameters; a longer one is scaled to it."""
    schedule: Literal["constant", "linear", "cosine"] = Field(
        default="constant", exclude_if=lambda s: s == "constant"
    )
    """Course of the learning rate over the budget: it stays, or falls to 0 in a line or a half
    cosine."""
    warm_up_steps: int = Field(default=0, ge=0, exclude_if=lambda n: n == 0)
    """Steps over which the learning rate rises in a line at the start."""
    cpu_minutes: float | None = Field(default=None, gt=0, exclude_if=lambda m: m is None)
    """Processor minutes in training steps, of all threads, after which the run ends
    (:class:`~unweave.training.budget.Budget`)."""
    n_images: int | None = Field(default=None, ge=1, exclude_if=lambda n: n is None)
    """Images that training sees, drawn by the seed, fewer ones among the more; None for all."""
    log_every: int = Field(default=50, ge=1)
    """Steps over which a point of the learning curve is the mean."""
    checkpoint_every: int = Field(default=1000, ge=1)
    """Steps between checkpoints, from which an interrupted run resumes."""
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device, as Lightning Fabric names it."""
    precision: str = "auto"
    """Number format, as Lightning Fabric names it (``32-true``, ``bf16-mixed``); ``auto`` is the
    faster one of these two in a trial (:func:`~unweave.training.precision.choose_precision`)."""

    @model_validator(mode="after")
    def _decays(self) -> Self:
        if self.weight_decay and self.optimizer != "adamw":
            raise ValueError(
                f"weight_decay {self.weight_decay:g} needs the optimizer adamw, not "
                f"{self.optimizer}"
            )
        return self


class TrainingConfig(TrainingSettings):
    """Budget, optimiser and device of one training run."""

    steps: int | None = Field(default=20_000, ge=1, lt=2**63)
    """Training steps in all; None where ``cpu_minutes`` is the budget."""
    milestones: tuple[int, ...] = ()
    """Steps at which the model is kept and scored; the last step always is one."""
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """Seed of the weights, the batches and the latent noise."""
    devices: int = Field(default=1, ge=1, le=4_096)
    """Devices that share each batch."""

    @model_validator(mode="before")
    @classmethod
    def _one_budget(cls, content: Any) -> Any:
        if not isinstance(content, Mapping) or content.get("cpu_minutes") is None:
            return content
        if content.get("steps") is not None:
            raise ValueError(
                "cpu_minutes and steps are two budgets: give one of them, and the run ends when "
                "it is used up"
            )
        return {**content, "steps": None}

    @model_validator(mode="after")
    def _check(self) -> TrainingConfig:
        if self.cpu_minutes is not None:
            self._check_minutes()
            return self
        if self.steps is None:
            raise ValueError("steps are None: give a number of steps, or cpu_minutes")
        late = [m for m in self.milestones if not 0 < m <= self.steps]
        if late:
            raise ValueError(f"milestones {late} are not within the {self.steps} steps")
        if self.batch_size % self.devices:
            raise ValueError(
                f"a batch of {self.batch_size} cannot be shared by {self.devices} devices evenly"
            )
        return self

    def _check_minutes(self) -> None:
        if self.milestones:
            raise ValueError(
                f"milestones {list(self.milestones)} are steps, and a run of cpu_minutes is scored "
                "at its end alone: leave them out, or give steps in place of cpu_minutes"
            )
        if self.devices > 1:
            raise ValueError(
                f"cpu_minutes are those of one process, and {self.devices} devices have one each: "
                "give steps"
            )

    @property
    def all_milestones(self) -> tuple[int, ...]:
        """Milestones in order, the last step among them where it is known beforehand."""
        return tuple(sorted({*self.milestones, *([] if self.steps is None else [self.steps])}))

    @classmethod
    def for_objective(cls, objective: Objective, **given: Any) -> TrainingConfig:
        """The configuration of an objective's paper, but for what is given.

        Parameters
        ----------
        objective
            Whose ``defaults`` these are.
        given
            Fields that are to be otherwise.

        Raises
        ------
        pydantic.ValidationError
            If they are not a valid configuration.
        """
        return cls(**over_defaults(given, objective.defaults.get("training", {})))


def over_defaults(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What is given over defaults, less those defaults that make no sense beside it.

    A budget takes the place of the other one, and another optimiser does without the weight decay.
    """
    dropped: set[str] = set()
    if given.get("cpu_minutes") is not None:
        dropped |= {"steps", "milestones"}
    if given.get("steps") is not None:
        dropped.add("cpu_minutes")
    if given.get("optimizer", "adamw") != "adamw":
        dropped.add("weight_decay")
    return filled(given, {k: v for k, v in defaults.items() if k not in dropped})
